// Starts the page: takes the token, follows the events, and draws what they touch.

import { h, render } from "./vendor/preact.js";
import { keyOf, ZOOMS } from "./card.js";
import { modelsOf, ownerOf, servicesOf } from "./claims.js";
import { Details } from "./details.js";
import { bearing, Enter } from "./enter.js";
import { figures, standing, Tools, Top } from "./head.js";
import { showKeys } from "./keys.js";
import { Plans, Services, Waiting } from "./lists.js";
import { Models, useOf } from "./look.js";
import { MapView } from "./map.js";
import { FORMAT, Store } from "./store.js";
import { follow } from "./stream.js";
import { startTip } from "./tip.js";
import { ASK, marks, places, question, WhatIf } from "./whatif.js";
import { counted } from "./words.js";

const TOKEN = "aim-gpu-ui-token";
const THEME = "aim-gpu-ui-theme";
const SPEAK_EVERY = 3000;

const element = (id) => document.getElementById(id);
const store = new Store();
const models = new Models();
const state = {
  connection: { state: "waiting", text: "Connecting …" },
  theme: localStorage.getItem(THEME) ?? "auto",
  choices: { models: [], namespaces: [], modes: [] },
  ask: { ...ASK, namespace: "default" },
  busy: false, answer: null, problem: "", now: Date.now(),
};
const view = {
  way: "use", zoom: 1, zooms: ZOOMS, fitted: ZOOMS[1], query: "", words: [], matches: "", only: null, roving: null, chosen: null, ghosts: new Set(),
  // Whether a partition is among what is searched for.
  match(node, gpu, one, claim) {
    return !this.words.length || (this.words.every((word) => text(node, gpu, one, claim).includes(word)));
  },
  shows(node) {
    return !this.words.length || node.gpus.some((gpu) => gpu.partitions.some((one) => this.match(node, gpu, one, store.claims.get(one.claim))))
      || this.words.every((word) => node.name.toLowerCase().includes(word));
  },
};

// What is searched in; kept while neither the partition's row nor its claim's is another.
const texts = new WeakMap();

function text(node, gpu, one, claim) {
  const known = texts.get(one);
  if (known && known.claim === claim) return known.text;
  const own = claim ? [claim.namespace, claim.name, claim.pod, ownerOf(claim), ...servicesOf(claim), ...modelsOf(claim),
    ...claim.members.map((one) => one.pod)].filter(Boolean).join(" ") : "";
  const told = `${node.name} ${node.product} ${gpu.bdf} ${gpu.mode} ${gpu.plan ?? ""} ${useOf(one, claim)} ${own}`.toLowerCase();
  texts.set(one, { claim, text: told });
  return told;
}

// The token comes in the URL's fragment, which no browser sends anywhere, and stays in this tab.
function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem(TOKEN, given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(TOKEN);
}
let token = takeToken();
addEventListener("hashchange", () => {
  if (location.hash.startsWith("#token=")) location.reload(); // the command's URL, opened again in this tab
});

const act = {
  way(way) { Object.assign(view, { way, only: null }); redraw(); },
  zoom(zoom) { view.zoom = zoom; redraw(); },
  only(key) { view.only = key; redraw(); },
  search(query) {
    view.query = query;
    view.words = query.toLowerCase().split(/\s+/).filter(Boolean);
    redraw();
  },
  theme(theme) {
    state.theme = theme;
    localStorage.setItem(THEME, theme);
    setTheme();
  },
  keys: () => showKeys(element("keys")),
  choose(key) {
    const before = view.chosen;
    view.chosen = key;
    for (const each of [before, key]) if (each) map.touch(each.split("|")[0]);
    drawSide();
    element("details-title")?.focus();
  },
  dismiss() {
    const before = view.chosen;
    if (before === null) return act.clear();
    view.chosen = null;
    map.touch(before.split("|")[0]);
    drawSide();
    map.element(view.roving)?.focus();
  },
  show(key) {
    if (!store.nodes.has(key.split("|")[0])) return;
    if (view.query) act.search("");
    map.go(exists(key) ? key : keyOf(...key.split("|").slice(0, 2)));
    act.choose(view.roving);
    map.element(view.roving)?.focus({ preventScroll: true });
  },
  fill(fields) { Object.assign(state.ask, fields); drawSide(); },
  ask(fields) { Object.assign(state.ask, fields); return plan(state.ask); },
  remove: (service) => plan({ remove: service }),
  // What was asked goes; of what is asked for only the node, which the map gave, or all that is given.
  clear(ask = { node: "" }) {
    Object.assign(state, { answer: null, problem: "", ask: { ...state.ask, ...ask } });
    mark(new Set());
    drawSide();
  },
};

function exists(key) {
  const [name, bdf, id] = key.split("|");
  const gpu = store.nodes.get(name)?.gpus.find((each) => each.bdf === bdf);
  return id === undefined || Boolean(gpu?.partitions.some((one) => String(one.id) === id));
}

const map = new MapView(element("map"), store, models, view, {
  choose: act.choose, dismiss: act.dismiss, drawn,
  ask(node) {
    act.fill({ node });
    element("ask-model").focus();
  },
  drop: (model, node) => act.ask({ model, node: node ?? "" }),
});

async function plan(ask) {
  Object.assign(state, { busy: true, problem: "" });
  drawSide();
  try {
    state.answer = await question(token, ask);
    mark(marks(state.answer));
    const [first] = places(state.answer);
    say(first ? `The plan has ${counted(places(state.answer).length, "place")}` : "The plan has no place");
  } catch (error) {
    state.answer = null;
    mark(new Set());
    state.problem = error.message;
  }
  state.busy = false;
  drawSide();
  element("whatif").scrollIntoView({ block: "nearest" });
}

function mark(keys) {
  const names = new Set([...view.ghosts, ...keys].map((key) => key.split("|")[0]));
  view.ghosts = keys;
  for (const name of names) map.touch(name);
}

// Drawing. Updates and redraws are measured from their beginning until the frame is painted that has the last card.

let began = null;

function begin(name) {
  began ??= { name, start: performance.now() };
}

// Called within a frame: what is set for later comes after its painting.
function drawn() {
  const measured = began;
  if (measured === null) return;
  began = null;
  setTimeout(() => {
    if (performance.getEntriesByType("measure").length > 500) performance.clearMeasures();
    performance.measure(measured.name, { start: measured.start });
  });
}

function take(event, data) {
  begin("update");
  const touched = store.take(event, data);
  models.see(store);
  map.sync(store.nodesOf(touched));
  drawHead();
  drawSide();
  tellChanges(event, touched);
  if (touched.get("behind").size) say(standing({ state: "live", text: "The map is of now again" }, store).text);
}

function redraw() {
  begin("redraw");
  map.sync(new Set(), true);
  view.matches = `${counted(map.names.length, "node")} of ${store.nodes.size}`;
  drawHead();
}

function drawHead() {
  if (state.connection.state === "stopped") { // figures of what cannot be shown may be what cannot be shown
    render(h(Top, { store: null, connection: state.connection, theme: state.theme, act }), element("top"));
    return;
  }
  render(h(Top, { store: store.loaded ? store : null, connection: standing(state.connection, store), theme: state.theme, act }), element("top"));
  render(h(Tools, { store, models, view, act }), element("tools"));
  const empty = element("empty");
  empty.hidden = !store.loaded || map.names.length > 0;
  empty.textContent = view.query ? "Nothing here is called so." : none();
}

function none() {
  const hidden = store.others.get("nodes") ?? 0;
  if (hidden) return `There ${hidden === 1 ? "is" : "are"} ${counted(hidden, "node")}, which you may not list (gpunodes). What is yours stands beside.`;
  return "No GPU node has reported. Agents report nodes that are labelled aim.amd.com/managed=true.";
}

function drawSide() {
  if (!store.loaded) { // of what nobody told nothing is said, not even that there is none
    render(null, element("side"));
    return;
  }
  const running = [...models.numbers.keys()];
  const choices = { ...state.choices, nodes: map.names };
  render([
    view.chosen ? h(Details, { key: "details", chosen: view.chosen, store, act }) : null,
    h(WhatIf, { key: "whatif", ask: state.ask, choices, busy: state.busy, answer: state.answer, problem: state.problem, running, act }),
    h(Waiting, { key: "waiting", store, now: state.now, act }),
    h(Plans, { key: "plans", store, now: state.now, act }),
    h(Services, { key: "services", store }),
  ], element("side"));
}

// What a screen reader hears of updates: sums, and not too often.

let spoken = null;
let speaking = null;

function say(sentence) {
  element("live").textContent = sentence;
}

function tellChanges(event, touched) {
  if (event === "state" || !(touched.get("claims").size || touched.get("plans").size)) return;
  speaking ??= setTimeout(() => {
    speaking = null;
    const all = figures(store);
    const sentence = `${all.held} of ${all.partitions} partitions held, ${counted(all.waiting, "claim")} waiting, ${counted(all.running, "plan")} under way`;
    if (sentence !== spoken) say(sentence);
    spoken = sentence;
  }, SPEAK_EVERY);
}

function setTheme() {
  if (state.theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = state.theme;
  drawHead();
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea");
  // keys of one character are the map's own: elsewhere somebody may dictate, or strike a key by accident
  const plain = event.target.closest("#map") && !(event.ctrlKey || event.metaKey || event.altKey);
  if (plain && event.key === "/") {
    event.preventDefault();
    element("search").focus();
  } else if (plain && event.key === "?") act.keys();
  else if (event.key === "Escape" && !element("keys").open && !event.defaultPrevented) {
    if (typing?.id === "search" && view.query) act.search("");
    else act.dismiss();
  }
});

function connection(word, told) {
  if (state.connection.state === word && state.connection.text === told) return;
  if (word !== state.connection.state) say(told);
  state.connection = { state: word, text: told };
  document.documentElement.dataset.connection = word;
  if (word === "refused") forget();
  drawHead();
  drawEnter();
}

// What was seen by a token that is not taken any more is not shown on.
function forget() {
  if (store.loaded) take("state", { format: FORMAT, version: -1, state: {} });
  store.loaded = false;
  Object.assign(state, { answer: null, problem: "" });
  mark(new Set());
  drawSide();
}

function drawEnter() {
  const { state: word, text: why } = state.connection;
  const enter = element("enter");
  enter.hidden = word !== "refused";
  render(enter.hidden ? null : h(Enter, { why, enter: begins }), enter);
}

function begins(given) {
  token = given;
  sessionStorage.setItem(TOKEN, token);
  connection("waiting", "Connecting …");
  start();
}

let endStream = () => {};

function start() {
  endStream = follow(token, take, connection);
  choices().catch(() => {}); // the list of suggestions alone is missing then; the stream says what is wrong
}

async function choices() {
  const answer = await fetch("api/choices", { headers: bearing(token), cache: "no-store" });
  if (!answer.ok) return;
  state.choices = await answer.json();
  if (!state.choices.namespaces.includes(state.ask.namespace)) state.ask.namespace = state.choices.namespaces[0] ?? "";
  drawSide();
}

// Cards are drawn after what was told: what fails there must not leave a map that looks as if it were of now.
addEventListener("error", (event) => {
  // without an error it is what a browser says of itself, such as of ResizeObserver
  if (!event.error || state.connection.state === "stopped") return;
  endStream();
  connection("stopped", `This page failed (${event.error.message}); load it anew`);
});

startTip(element("map"), element("tip"));
setTheme();
drawSide();
start();
setInterval(() => {
  state.now = Date.now();
  drawSide();
}, 15000);
