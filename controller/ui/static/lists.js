// Beside the map: claims that wait and why, plans with their steps, services with their objectives.

import { h } from "./vendor/preact.js";
import { modelWord, ownerOf } from "./claims.js";
import { Objectives } from "./details.js";
import { byWorst } from "./look.js";
import { order } from "./store.js";
import { ago, counted, gpuName, shortModel, size, spaced } from "./words.js";

const MOST = 40;

function panel(id, title, count, content) {
  return h("section", { class: "panel", "aria-labelledby": id, key: id }, [
    h("div", { class: "title" }, [h("h2", { id }, title), h("span", { class: "count" }, count)]), content,
  ]);
}

const more = (rest) => (rest > 0 ? h("p", { class: "quiet" }, `and ${rest} more`) : null);

export function Waiting({ store, now, act }) {
  const rows = store.waiting();
  const hidden = store.others.get("waiting") ?? 0;
  return panel("waiting", "Waiting claims", rows.length + hidden, [
    rows.length ? null : h("p", { class: "quiet" }, hidden ? "None of yours waits." : "No claim waits."),
    h("ul", { class: "list" }, rows.slice(0, MOST).map(([key, claim]) => h("li", { key, class: "waits" }, [
      h("div", { class: "line" }, [
        h("b", null, ownerOf(claim)),
        h("span", { class: "quiet" }, `${claim.namespace} · ${ago(claim.waiting.since, now)}${claim.priority ? ` · priority ${claim.priority}` : ""}`),
      ]),
      claim.group ? h("div", { class: "quiet" }, claim.pod ? `pod ${claim.pod}, for a share of group ${claim.group}` : `group ${claim.group}: ${claim.members.map((one) => one.pod).join(", ") || "nobody"}`) : null,
      h("div", { class: "quiet" }, [modelWord(claim) || "no model named", claim.bytes ? ` · ${claim.count > 1 ? `${claim.count} × ` : ""}${size(claim.bytes)}` : ""]),
      h("p", { class: "why" }, claim.waiting.message),
      claim.waiting.nearest ? h("p", { class: "nearest" }, [h("b", null, "Nearest change: "), claim.waiting.nearest]) : null,
      claim.waiting.kept ? h("p", { class: "quiet" }, ["A place is kept on ", h("button", { type: "button", class: "link", onClick: () => act.show(claim.waiting.kept) }, claim.waiting.kept), "."]) : null,
      claim.waiting.gates.length ? h("p", { class: "quiet" }, `Held by other gates too: ${claim.waiting.gates.join(", ")}`) : null,
      claim.waiting.lines.length > 2 ? h("details", null, [h("summary", null, "All that was found"), h("pre", { tabIndex: 0 }, claim.waiting.lines.join("\n"))]) : null,
    ]))),
    more(rows.length - MOST),
    hidden ? h("p", { class: "quiet" }, `${counted(hidden, "claim")} of other namespaces ${hidden === 1 ? "waits" : "wait"}.`) : null,
  ]);
}

const STANDING = { running: 0, waiting: 1, ended: 2 };

export function Plans({ store, now, act }) {
  const rows = [...store.plans.values()].sort((a, b) => STANDING[a.standing] - STANDING[b.standing] || order(a.name, b.name));
  const hidden = store.others.get("plans") ?? 0;
  return panel("plans", "Plans", rows.length + hidden, [
    rows.length || hidden ? null : h("p", { class: "quiet" }, "No mode is being changed."),
    h("ul", { class: "list" }, rows.slice(0, MOST).map((plan) => h("li", { key: plan.name, class: `plan ${plan.standing}` }, [
      h("div", { class: "line" }, [h("b", null, plan.name), h("span", { class: `phase ${plan.standing} ${plan.phase}` }, spaced(plan.phase))]),
      h("div", null, [h("button", { type: "button", class: "link", onClick: () => act.show(plan.node) }, plan.node), ` ${changes(plan)}`]),
      plan.reason ? h("p", { class: "quiet" }, plan.reason) : null,
      plan.awaitsApproval ? h("p", { class: "nearest" }, [h("b", null, "Waits for approval: "), h("code", null, `aim-gpu approve ${plan.name}`)]) : plan.message && plan.standing !== "ended" ? h("p", { class: "why" }, plan.message) : null,
      plan.gain || plan.cost ? h("p", { class: "quiet" }, [plan.gain ? `gain: ${plan.gain}` : "", plan.gain && plan.cost ? "; " : "", plan.cost ? `cost: ${plan.cost}` : ""]) : null,
      plan.moves.length ? h("p", { class: "quiet" }, `${counted(plan.moves.length, "pod")} ${plan.moves.length === 1 ? "moves" : "move"}${plan.moves[0].pod ? `: ${plan.moves.map((move) => move.pod).join(", ")}` : ""}`) : null,
      plan.steps.length ? h(Steps, { plan, now }) : null,
    ]))),
    hidden ? h("p", { class: "quiet" }, `${counted(hidden, "plan")} on nodes that you may not list.`) : null,
  ]);
}

function changes(plan) {
  const found = new Map();
  for (const gpu of plan.gpus) {
    const way = `${gpu.from} → ${gpu.to}`;
    found.set(way, [...(found.get(way) ?? []), gpuName(gpu.bdf)]);
  }
  return [...found].map(([way, gpus]) => `${gpus.length > 2 ? `${gpus.length} GPUs` : gpus.join(", ")}: ${way}`).join("; ");
}

function Steps({ plan, now }) {
  return h("ol", { class: "steps", "aria-label": `Steps of ${plan.name}` }, plan.steps.map((step, index) => {
    const state = step.end ? (step.result && /fail|back/i.test(step.result) ? "failed" : "done") : plan.standing === "running" ? "doing" : "open";
    const took = step.start ? ago(step.start, step.end ? Date.parse(step.end) : now) : "";
    return h("li", { key: index, class: state, "aria-current": state === "doing" ? "step" : null }, [
      h("span", null, spaced(step.name)),
      h("small", null, [state === "doing" ? `for ${took}` : took, step.result && state === "failed" ? `, ${spaced(step.result)}` : ""]),
      step.message && state !== "done" ? h("small", { class: "quiet" }, step.message) : null,
    ]);
  }));
}

export function Services({ store }) {
  const rows = [...store.services.values()].sort((a, b) => byWorst(a, b) || order(a.namespace + a.name, b.namespace + b.name));
  const hidden = store.others.get("services") ?? 0;
  return panel("services", "Services", rows.length + hidden, [
    rows.length || hidden ? null : h("p", { class: "quiet" }, "There is no InferenceService of aim.amd.com."),
    h("ul", { class: "list" }, rows.slice(0, MOST).map((service) => h("li", { key: `${service.namespace}/${service.name}` }, [
      h("div", { class: "line" }, [h("b", null, service.name), h("span", { class: `state slo-${service.state}-word` }, service.state === "none" ? "no objective" : service.state === "unknown" ? "not judged yet" : `objectives ${service.state}`)]),
      h("div", { class: "quiet" }, `${service.namespace} · ${shortModel(service.model)} · ${service.ready} of ${service.replicas} ready · ${service.class}`),
      service.objectives.length ? h("details", null, [h("summary", null, counted(service.objectives.length, "objective")), h(Objectives, { service })]) : null,
    ]))),
    more(rows.length - MOST),
    hidden ? h("p", { class: "quiet" }, `${counted(hidden, "service")} of other namespaces.`) : null,
  ]);
}
