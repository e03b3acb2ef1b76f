// The dialog that names the keys.

import { h, render } from "./vendor/preact.js";

const KEYS = [
  ["↓ ↑", "next or previous node, GPU or partition"],
  ["→ ←", "into a node or GPU, and out again"],
  ["Home End", "the first and the last"],
  ["Page ↓ ↑", "ten further or back"],
  ["Enter", "details of it"],
  ["Esc", "close details, then clear a what-if"],
  ["w", "try a model on this node"],
  ["/", "search"],
  ["?", "this list"],
];

export function showKeys(dialog) {
  render([
    h("h2", { id: "keys-title" }, "Keys"),
    h("p", { class: "quiet" }, "While the map has the focus; Esc works everywhere."),
    h("dl", null, KEYS.map(([key, does]) => h("div", null, [h("dt", null, h("kbd", null, key)), h("dd", null, does)]))),
    h("form", { method: "dialog" }, h("button", { type: "submit", class: "strong" }, "Close")),
  ], dialog);
  dialog.showModal();
}
