// What stands above the map: the fleet in figures, how it is coloured, search, and the legend.

import { h } from "./vendor/preact.js";
import { lookOf, ORDER, WAYS } from "./look.js";
import { clock, counted, size } from "./words.js";

export function figures(store) {
  const found = { nodes: store.nodes.size, gpus: 0, partitions: 0, held: 0, bytes: 0, heldBytes: 0, broken: 0, waiting: 0, missed: 0, running: 0, awaiting: 0 };
  for (const node of store.nodes.values()) {
    found.gpus += node.gpus.length;
    for (const gpu of node.gpus) for (const one of gpu.partitions) {
      found.partitions += 1;
      found.bytes += one.bytes;
      found.broken += one.health === "healthy" ? 0 : 1;
      if (!one.holder) continue;
      found.held += 1;
      found.heldBytes += one.bytes;
    }
  }
  for (const claim of store.claims.values()) found.waiting += claim.waiting ? 1 : 0;
  found.waiting += store.others.get("waiting") ?? 0;
  for (const service of store.services.values()) found.missed += service.state === "missed" || service.state === "burning" ? 1 : 0;
  for (const plan of store.plans.values()) {
    found.running += plan.standing === "running" ? 1 : 0;
    found.awaiting += plan.awaitsApproval ? 1 : 0;
  }
  return found;
}

// How what is shown stands to now: a server that is there may have lost the API server.
export function standing(connection, store) {
  if (connection.state !== "live" || !store.behind.size) return connection;
  const rows = [...store.behind];
  const [, oldest] = rows.reduce((one, other) => (other[1].since < one[1].since ? other : one));
  const what = store.behind.has("all") ? "The API server is silent" : `No news of ${rows.map(([kind]) => kind).join(", ")}`;
  return { state: "behind", text: `${what} since ${clock(oldest.since)}: what is shown is of then` };
}

export function Top({ store, connection, theme, act }) {
  return [
    h("h1", null, "GPU map"),
    store ? h(Figures, { store }) : null,
    h(Corner, { connection, theme, act }),
  ];
}

function Figures({ store }) {
  const all = figures(store);
  const unseen = store.others.get("nodes") ?? 0;
  return h("dl", { class: "figures" }, [
    ...(unseen ? [figure("GPUs", "?", `on ${counted(unseen, "node")} that you may not list`)] : hardware(all)),
    figure("Waiting", all.waiting, "claims", all.waiting ? "warn" : ""),
    figure("Plans", all.running, all.awaiting ? `under way, ${all.awaiting} to approve` : "under way", all.awaiting ? "warn" : ""),
    figure("Objectives", all.missed, "missed or burning", all.missed ? "bad" : ""),
  ]);
}

// What the nodes hold. Nothing is said of it to who may not list them: zeros and "all healthy" would be untrue.
function hardware(all) {
  const share = all.bytes ? all.heldBytes / all.bytes : 0;
  return [
    figure("GPUs", all.gpus, `on ${counted(all.nodes, "node")}`),
    figure("Partitions held", `${all.held} / ${all.partitions}`, all.broken ? `${all.broken} not healthy` : "all healthy", all.broken ? "bad" : ""),
    h("div", { class: "figure wide" }, [
      h("dt", null, "Memory held"),
      h("dd", null, [
        h("b", null, size(all.heldBytes)), h("small", null, `of ${size(all.bytes)}`),
        h("span", { class: "bar", "aria-hidden": "true" }, h("span", { style: { width: `${(share * 100).toFixed(1)}%` } })),
      ]),
    ]),
  ];
}

function Corner({ connection, theme, act }) {
  return h("div", { class: "corner" }, [
    h("span", { class: `link ${connection.state}` }, connection.text),
    connection.state === "stopped" ? h("button", { type: "button", onClick: () => location.reload() }, "Load anew") : null,
    h("label", { class: "theme" }, [
      h("span", { class: "unseen" }, "Theme"),
      h("select", { id: "theme", value: theme, onChange: (event) => act.theme(event.target.value) },
        [["auto", "Auto"], ["light", "Light"], ["dark", "Dark"]].map(([value, word]) => h("option", { value, selected: value === theme }, word))),
    ]),
    h("button", { type: "button", class: "plain", onClick: act.keys }, "Keys"),
  ]);
}

function figure(word, value, note, kind = "") {
  return h("div", { class: `figure ${kind}` }, [h("dt", null, word), h("dd", null, [h("b", null, value), h("small", null, note)])]);
}

export function Tools({ store, models, view, act }) {
  return [
    h("div", { class: "row" }, [
      h(Choice, { word: "Colour by", name: "way", options: WAYS, value: view.way, pick: act.way }),
      h(Choice, { word: "Zoom", name: "zoom", options: view.zooms.map((zoom, index) => [index, zoom.name]), value: view.zoom, pick: (value) => act.zoom(Number(value)) }),
      h("label", { class: "search" }, [
        h("span", { class: "unseen" }, "Search nodes, models, services, namespaces, claims"),
        h("input", { id: "search", type: "search", placeholder: "Search nodes, models, services …", value: view.query, onInput: (event) => act.search(event.target.value) }),
      ]),
      h("span", { class: "matches", role: "status" }, view.query ? view.matches : ""),
    ]),
    h(Legend, { store, models, view, act }),
  ];
}

function Choice({ word, name, options, value, pick }) {
  return h("fieldset", { class: "choice" }, [
    h("legend", null, word),
    ...options.map(([key, told]) => h("label", { class: key === value ? "on" : "" }, [
      h("input", { type: "radio", name, value: key, checked: key === value, onChange: () => pick(key) }),
      h("span", null, told),
    ])),
  ]);
}

const MOST = 24;

function Legend({ store, models, view, act }) {
  const rows = new Map();
  for (const node of store.nodes.values()) for (const gpu of node.gpus) for (const one of gpu.partitions) {
    const look = lookOf(view.way, one, store, models);
    const row = rows.get(look.key) ?? { ...look, count: 0, bytes: 0 };
    row.count += 1;
    row.bytes += one.bytes;
    rows.set(look.key, row);
  }
  const sorted = [...rows.values()].sort((a, b) => rank(a.key) - rank(b.key) || b.bytes - a.bytes);
  const shown = sorted.slice(0, MOST);
  return h("ul", { class: "legend", "aria-label": "Legend; press an entry to see it alone" }, [
    ...shown.map((row) => h("li", { key: row.key },
      h("button", { type: "button", "aria-pressed": view.only === row.key ? "true" : "false", title: `${counted(row.count, "partition")}, ${size(row.bytes)}`, onClick: () => act.only(view.only === row.key ? null : row.key) }, [
        h("span", { class: `swatch ${row.name}`, "aria-hidden": "true" }), h("span", null, row.word), h("small", null, row.count),
      ]))),
    sorted.length > MOST ? h("li", null, `and ${sorted.length - MOST} more`) : null,
  ]);
}

const rank = (key) => (ORDER.includes(key) ? ORDER.indexOf(key) : -1);

