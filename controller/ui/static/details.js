// Everything that is known of the node, GPU or partition that was chosen.

import { h } from "./vendor/preact.js";
import { signsOf } from "./card.js";
import { modelsOf, ownerOf } from "./claims.js";
import { useOf } from "./look.js";
import { counted, gpuName, shortModel, size, spaced } from "./words.js";

export function Details({ chosen, store, act }) {
  const [name, bdf, id] = chosen.split("|");
  const node = store.nodes.get(name);
  const gpu = node?.gpus.find((each) => each.bdf === bdf);
  const one = gpu?.partitions.find((each) => String(each.id) === id);
  const gone = !node || (bdf && !gpu) || (id && !one);
  const title = one ? `Partition ${one.id}` : gpu ? `GPU ${gpuName(bdf)}` : name;
  return h("section", { class: "panel details", "aria-labelledby": "details-title" }, [
    h("div", { class: "title" }, [
      h("h2", { id: "details-title", tabIndex: -1 }, title),
      h("button", { type: "button", class: "plain", onClick: act.dismiss }, "Close"),
    ]),
    gone ? h("p", null, "It is not there any more.")
      : one ? h(OfPartition, { node, gpu, one, store, act })
      : gpu ? h(OfGpu, { node, gpu, store, act }) : h(OfNode, { node, store, act }),
  ]);
}

function rows(pairs) {
  return h("dl", { class: "rows" }, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([word, value]) => h("div", null, [h("dt", null, word), h("dd", null, value)])));
}

const link = (text, onClick) => h("button", { type: "button", class: "link", onClick }, text);

function OfNode({ node, store, act }) {
  const parts = node.gpus.flatMap((gpu) => gpu.partitions);
  const plans = [...store.plans.values()].filter((plan) => plan.node === node.name && plan.standing !== "ended");
  return [
    rows([
      ["Product", `${node.gpus.length} × ${node.product}`],
      ["Policy", node.policy ?? "none rules it"],
      ["State", signsOf(node, store).map((sign) => sign.word).join(", ") || "takes models"],
      ["Held", `${parts.filter((one) => one.holder).length} of ${counted(parts.length, "partition")}`],
      ["Modes", [...tally(node.gpus.map((gpu) => gpu.mode ?? "unknown"))].map(([mode, count]) => `${count} × ${mode}`).join(", ")],
      ["Problems", node.problems],
      ["Missing GPUs", node.missingGpus.map(gpuName).join(", ")],
      ["Operation", node.operation ? `${spaced(node.operation.step)}, ${node.operation.percent} %` : null],
      ["Plans", plans.map((plan) => `${plan.name} (${spaced(plan.phase)})`).join(", ")],
      ["Hardware", node.simulated ? "simulated" : null],
    ]),
    h("div", { class: "acts" }, h("button", { type: "button", onClick: () => act.ask(node.name) }, "Try a model here")),
  ];
}

function OfGpu({ node, gpu, act }) {
  return [
    rows([
      ["Node", link(node.name, () => act.show(node.name))],
      ["Product", gpu.product],
      ["Memory", size(gpu.bytes)],
      ["Mode", gpu.mode ?? "cannot be read"],
      ["Plan", gpu.plan],
      ["Not shown by driver", gpu.missing || null],
      ["Problem", gpu.problem],
      ["xGMI hive", gpu.hive],
    ]),
    h("table", null, [
      h("caption", { class: "unseen" }, "Partitions"),
      h("thead", null, h("tr", null, ["No.", "Memory", "CUs", "Held by"].map((word) => h("th", { scope: "col" }, word)))),
      h("tbody", null, gpu.partitions.map((one) => h("tr", { key: one.id }, [
        h("td", null, link(String(one.id), () => act.show(`${node.name}|${gpu.bdf}|${one.id}`))),
        h("td", null, size(one.bytes)), h("td", null, one.computeUnits || "?"), h("td", null, one.claim ?? (one.holder ? "somebody else" : one.kept ? "kept" : one.health === "healthy" ? "free" : one.health)),
      ]))),
    ]),
  ];
}

function OfPartition({ node, gpu, one, store, act }) {
  const claim = one.claim ? store.claims.get(one.claim) : undefined;
  const services = store.servicesOf(claim);
  const use = useOf(one, claim);
  return [
    rows([
      ["Place", [link(node.name, () => act.show(node.name)), " / ", link(gpuName(gpu.bdf), () => act.show(`${node.name}|${gpu.bdf}`))]],
      ["Memory", size(one.bytes)],
      ["Compute units", one.computeUnits || "unknown"],
      ["Mode", gpu.mode],
      ["Health", one.health],
      ["Held", { free: "by nobody", kept: "kept for somebody who comes", others: "by another namespace", foreign: "by something past the operator" }[use]],
    ]),
    claim ? h(OfClaim, { claim, services, one }) : null,
    services.length ? h("div", { class: "acts" }, services.map((service) => h("button", { type: "button", key: service.name, onClick: () => act.remove(`${service.namespace}/${service.name}`) }, `What if ${service.name} were gone?`))) : null,
  ];
}

function OfClaim({ claim, services, one }) {
  return [
    h("h3", null, claim.model ? shortModel(claim.model) : ownerOf(claim)),
    rows([
      [modelsOf(claim).length > 1 ? "Models" : "Model", modelsOf(claim).join(", ")],
      ["Precision", claim.precision],
      [claim.group ? "Shared out" : "Needs", claim.bytes ? [claim.group ? size(claim.bytes) : `${size(claim.bytes)} a partition`, h(Fit, { needed: claim.bytes, bytes: one.bytes })] : null],
      ["Sequences", claim.maxConcurrency ? `${claim.maxConcurrency} of ${claim.maxModelLen ?? "?"} tokens` : null],
      ["Partitions", claim.count > 1 ? claim.count : null],
      ["Namespace", claim.namespace],
      ["Service", claim.service],
      ["Pod", claim.pod],
      ["Share group", claim.group],
      ["Claim", `${claim.name}, ${claim.phase}`],
      ["Priority", claim.priority || null],
      ["Kept apart by", claim.isolation],
      ...claim.troubles.map((trouble) => [spaced(trouble.type), trouble.message]),
    ]),
    claim.group ? h(Members, { claim }) : null,
    ...services.map((service) => h(Objectives, { key: service.name, service })),
  ];
}

// Who has which share of the partition.
function Members({ claim }) {
  return h("table", { class: "members" }, [
    h("caption", null, `Members of share group ${claim.group}`),
    h("thead", null, h("tr", null, ["Pod", "Model", "Share", ""].map((word) => h("th", { scope: "col" }, word || h("span", { class: "unseen" }, "State"))))),
    h("tbody", null, claim.members.map((one) => h("tr", { key: one.pod }, [
      h("td", null, one.pod), h("td", null, one.model ? shortModel(one.model) : "unknown"), h("td", null, [size(one.bytes), one.computeUnits ? h("small", null, `CUs ${one.computeUnits}`) : null]),
      h("td", null, one.ready ? "ready" : "starting"),
    ]))),
  ]);
}

function Fit({ needed, bytes }) {
  const share = bytes ? Math.min(1, needed / bytes) : 0;
  return h("span", { class: "bar", role: "img", "aria-label": `${Math.round(share * 100)} % of the partition` }, h("span", { style: { width: `${share * 100}%` } }));
}

export function Objectives({ service }) {
  if (!service.objectives.length) return null;
  return h("table", { class: "objectives" }, [
    h("caption", null, `Objectives of ${service.name}: ${service.state}`),
    h("thead", null, h("tr", null, ["Objective", "Kept", "Needed", "Budget left"].map((word) => h("th", { scope: "col" }, word)))),
    h("tbody", null, service.objectives.map((each) => h("tr", { class: each.burning ? "bad" : "" }, [
      h("td", null, `${each.percentile} ${spaced(each.metric)} ≤ ${each.threshold}`),
      h("td", null, each.attainment ? `${each.attainment} %` : "no requests"), h("td", null, `${each.needed} %`),
      h("td", null, each.budgetLeft ? `${each.budgetLeft} %${each.burning ? `, burning over ${each.burning}×` : ""}` : "–"),
    ]))),
  ]);
}

function tally(values) {
  const found = new Map();
  for (const value of values) found.set(value, (found.get(value) ?? 0) + 1);
  return found;
}

