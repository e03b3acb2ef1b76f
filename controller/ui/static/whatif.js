// A model that somebody chooses or drops on the map: asked of the server, which plans it and changes nothing.

import { Component, h } from "./vendor/preact.js";
import { said } from "./answer.js";
import { bearing } from "./enter.js";
import { shortModel, size } from "./words.js";

const PRECISIONS = [["", "as published"], ["bf16", "bf16"], ["fp16", "fp16"], ["fp8", "fp8"], ["int8", "int8"], ["int4", "int4"], ["mxfp4", "mxfp4"]];

const MODELS = 5; // of those that run, as chips
const EXAMPLES = ["Qwen/Qwen3-8B", "meta-llama/Llama-3.3-70B-Instruct"]; // one that most partitions take, one that few do
const WHOLE = /^[^\s/]+\/[^\s/]+$/; // an id, and not its beginning

// The models that can be dragged: the one that is typed, some that run, and two that anybody can try.
export function chips(typed, running) {
  const first = WHOLE.test(typed.trim()) ? [typed.trim()] : [];
  return [...new Set([...first, ...running.slice(0, MODELS), ...EXAMPLES])];
}

// What is asked for where nobody says otherwise.
export const ASK = { model: "", replicas: "1", precision: "", mode: "", count: "", maxModelLen: "", maxConcurrency: "", node: "" };

// What the fold holds that is asked for, told in its line while it is closed.
function rest(ask) {
  const told = [ask.precision, ask.mode, ask.count && `${ask.count} partitions each`, ask.maxModelLen && `${ask.maxModelLen} tokens`,
    ask.maxConcurrency && `${ask.maxConcurrency} at once`, ask.node && `on node ${ask.node}`];
  return told.filter(Boolean).join(", ") || "Precision, mode, partitions, sequences, node";
}

export class WhatIf extends Component {
  render({ ask, choices, busy, answer, problem, running, act }) {
    const asks = Object.keys(ASK).some((name) => ask[name] !== ASK[name]);
    return h("section", { class: "panel whatif", "aria-labelledby": "whatif" }, [
      h("div", { class: "title" }, [h("h2", { id: "whatif" }, "What if"), answer || problem || asks ? h("button", { type: "button", class: "plain", onClick: () => act.clear(ASK) }, "Clear") : null]),
      h("div", { class: "chips" }, [
        h("span", { class: "quiet" }, "Drag onto the map or a node, or press:"),
        ...chips(ask.model, running).map((model) => h("button", { type: "button", class: "chip", draggable: true, key: model,
          onDragStart: (event) => { event.dataTransfer.setData("application/x-aim-model", model); event.dataTransfer.effectAllowed = "copy"; },
          onClick: () => act.ask({ model, node: "" }) }, shortModel(model))),
      ]),
      h("form", { onSubmit: (event) => { event.preventDefault(); act.ask({}); } }, [
        h("label", { class: "whole" }, ["Model", h("input", { id: "ask-model", list: "models", required: true, autocomplete: "off", spellcheck: false, value: ask.model, placeholder: "Qwen/Qwen3-8B", onInput: this.set("model") })]),
        h("datalist", { id: "models" }, choices.models.map((model) => h("option", { value: model }))),
        this.select("Namespace", "namespace", choices.namespaces.map((name) => [name, name])),
        h("label", null, ["Replicas", h("input", { type: "number", min: 1, max: 64, value: ask.replicas, onInput: this.set("replicas") })]),
        h("details", { class: "whole", open: ask.node !== "" }, [
          h("summary", null, rest(ask)),
          h("div", { class: "pairs" }, [
            this.select("Precision", "precision", PRECISIONS),
            this.select("Mode", "mode", [["", "any"], ...choices.modes.map((mode) => [mode, mode])]),
            h("label", null, ["Partitions each", h("input", { id: "ask-count", type: "number", min: 1, max: 64, value: ask.count, placeholder: "1", onInput: this.set("count") })]),
            this.select("On node", "node", [["", "any"], ...choices.nodes.map((name) => [name, name])]),
            h("label", null, ["Longest sequence", h("input", { type: "number", min: 1, max: 16777216, value: ask.maxModelLen, placeholder: "8192", onInput: this.set("maxModelLen") })]),
            h("label", null, ["Sequences at once", h("input", { type: "number", min: 1, max: 65536, value: ask.maxConcurrency, placeholder: "8", onInput: this.set("maxConcurrency") })]),
          ]),
        ]),
        h("div", { class: "acts" }, h("button", { type: "submit", class: "strong", disabled: busy }, busy ? "Planning …" : "See the plan")),
      ]),
      problem ? h("p", { class: "problem", role: "alert" }, problem) : null,
      answer ? h(Answer, { answer, act }) : null,
    ]);
  }

  set(name) {
    return (event) => this.props.act.fill({ [name]: event.target.value });
  }

  select(word, name, options) {
    const value = this.props.ask[name];
    return h("label", null, [word, h("select", { id: `ask-${name}`, value, onChange: this.set(name) }, options.map(([key, told]) => h("option", { value: key, selected: key === value }, told)))]);
  }
}

const SIGNS = { "+": ["comes", "Comes"], "-": ["leaves", "Leaves"], "~": ["changes", "Changes"], "!": ["waits", "Waits"], "=": ["stays", "Stays"] };

function Answer({ answer, act }) {
  const need = answer.services[0]?.need_bytes;
  const hidden = Object.entries(answer.hidden).map(([what, count]) => `${count} ${what}`).join(", ");
  const [first] = places(answer);
  return h("div", { class: "answer" }, [
    h("p", { class: answer.pending ? "verdict no" : "verdict yes" }, verdict(answer)),
    h("ul", null, answer.lines.map((line, index) => {
      const [kind, word] = SIGNS[line[0]] ?? ["detail", ""];
      return h("li", { key: index, class: kind }, [word ? h("span", { class: "unseen" }, `${word}: `) : null, word ? line.slice(2) : line.trim()]);
    })),
    h("p", { class: "quiet" }, [need ? `needs ${size(need)} a replica; ` : "", answer.summary, hidden ? `; of other namespaces: ${hidden}` : ""]),
    first ? h("div", { class: "acts" }, h("button", { type: "button", onClick: () => act.show(first) }, "Show on the map")) : null,
    h("p", { class: "quiet" }, "Nothing was changed: this is what the operator would decide now."),
  ]);
}

function verdict(answer) {
  if (!answer.placed && !answer.pending) return answer.services[0]?.gone.length ? "It would be gone" : "Nothing would change";
  if (!answer.pending) return answer.changes.length ? "It fits after a mode change" : answer.leaving.length ? "It fits, and others leave" : "It fits";
  return answer.placed ? `${answer.placed} fit, ${answer.pending} would wait` : "It would wait";
}

// Keys of the partitions that an answer takes.
export function places(answer) {
  return answer.services.flatMap((service) => service.replicas).filter((row) => row.placed)
    .flatMap((row) => row.partitions.map((one) => `${row.node}|${one.bdf}|${one.partition}`));
}

// Keys that are marked on the map: partitions, GPUs whose mode would change, and their nodes.
export function marks(answer) {
  const found = new Set(places(answer));
  for (const change of answer.changes) for (const gpu of change.gpus) found.add(`${change.node}|${gpu.bdf}`);
  for (const key of [...found]) found.add(key.split("|")[0]);
  return found;
}

export async function question(token, ask) {
  const query = new URLSearchParams(Object.entries(ask).filter(([, value]) => value !== "" && value !== null && value !== undefined));
  const answer = await fetch(`api/what-if?${query}`, { headers: bearing(token), cache: "no-store" });
  if (!answer.ok) throw new Error(await said(answer));
  return answer.json();
}
