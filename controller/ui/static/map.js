// All nodes as cards. Cards are drawn one by one within a time a frame, those in view first, so that no change of the
// cluster, of zoom or of colours keeps the page from answering; cards far from view are empty boxes of the right size.

import { h, render } from "./vendor/preact.js";
import { boxOf, Card, fitted, keyOf, nodeLabel } from "./card.js";

const BUDGET = 14; // ms of a frame; what the browser does of it then takes as long again
const AHEAD = "600px"; // how far beyond the edge cards are drawn
const BETWEEN = 10; // pixels between cards, as the style sheet has it
const natural = new Intl.Collator("en", { numeric: true });

export class MapView {
  // on: choose(key), dismiss(), ask(node), drop(model, node), drawn()
  constructor(root, store, models, view, on) {
    Object.assign(this, { root, store, models, view, on });
    this.cards = new Map(); // node -> { element, near, drawn }
    this.names = [];
    this.dirty = new Set();
    this.frame = 0;
    this.near = new IntersectionObserver((entries) => this.seen(entries), { rootMargin: AHEAD });
    let width = root.clientWidth;
    new ResizeObserver(() => {
      if (root.clientWidth === width) return;
      width = root.clientWidth;
      this.sync(new Set(), true);
    }).observe(root);
    root.addEventListener("keydown", (event) => this.key(event));
    root.addEventListener("click", (event) => this.click(event));
    root.addEventListener("focusin", (event) => this.focused(event.target.closest("[data-key]")));
    for (const type of ["dragover", "dragleave", "drop"]) root.addEventListener(type, (event) => this.drag(type, event));
  }

  // The set of cards as the store and the filter have it; `redraw`: all of them, else those of `changed` and new ones.
  sync(changed, redraw = false) {
    const names = [...this.store.nodes.keys()].filter((name) => this.view.shows(this.store.nodes.get(name)));
    names.sort(natural.compare);
    this.fit(names);
    const kept = new Set(names);
    for (const name of [...this.cards.keys()]) if (!kept.has(name)) this.remove(name);
    names.forEach((name, index) => {
      const card = this.cards.get(name) ?? this.add(name);
      if (this.root.children[index] !== card.element) this.root.insertBefore(card.element, this.root.children[index] ?? null);
      card.element.setAttribute("aria-posinset", index + 1);
      card.element.setAttribute("aria-setsize", names.length);
      if (redraw || changed.has(name)) this.touch(name);
    });
    this.names = names;
    const here = this.view.roving?.split("|")[0];
    if (!here || !this.cards.has(here)) this.rove(names[0] ?? null);
    this.root.tabIndex = names.length ? -1 : 0;
    if (!this.dirty.size) requestAnimationFrame(() => this.on.drawn());
  }

  fit(names) {
    const most = Math.max(0, ...names.map((name) => this.store.nodes.get(name).gpus.length));
    this.view.fitted = fitted(this.view.zooms[this.view.zoom], this.root.clientWidth, most, BETWEEN);
    this.root.dataset.zoom = this.view.zoom;
  }

  touch(name) {
    this.dirty.add(name);
    if (!this.frame) this.frame = requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.frame = 0;
    const until = performance.now() + BUDGET;
    const queue = [...this.dirty].sort((a, b) => this.rank(a) - this.rank(b));
    for (const name of queue) {
      this.drawCard(name);
      if (performance.now() > until) break;
    }
    if (this.dirty.size) this.frame = requestAnimationFrame(() => this.draw());
    else this.on.drawn();
  }

  rank(name) {
    return this.cards.get(name)?.near ? 0 : 1;
  }

  drawCard(name) {
    this.dirty.delete(name);
    const card = this.cards.get(name);
    const node = this.store.nodes.get(name);
    if (!card || !node) return;
    const { element } = card;
    const box = boxOf(node, this.view.fitted);
    element.style.width = `${box.width}px`;
    element.style.height = `${box.height}px`;
    element.className = ["card", node.fresh && node.ready ? "" : "silent", this.view.chosen === name ? "chosen" : "",
      this.view.ghosts.has(name) ? "aimed" : ""].filter(Boolean).join(" ");
    element.setAttribute("aria-label", nodeLabel(node, this.store));
    element.setAttribute("aria-expanded", card.near ? "true" : "false");
    element.setAttribute("aria-selected", this.view.chosen === name ? "true" : "false");
    element.tabIndex = this.view.roving === name ? 0 : -1;
    render(h(Card, { node, store: this.store, models: this.models, view: this.view, whole: card.near }), element);
    card.drawn = true;
  }

  add(name) {
    const element = document.createElement("div");
    element.setAttribute("role", "treeitem");
    element.setAttribute("aria-level", "1");
    element.dataset.key = name;
    const card = { element, near: false, drawn: false };
    this.cards.set(name, card);
    const box = boxOf(this.store.nodes.get(name), this.view.fitted);
    element.className = "card";
    element.style.width = `${box.width}px`;
    element.style.height = `${box.height}px`;
    this.near.observe(element);
    this.touch(name);
    return card;
  }

  remove(name) {
    const { element } = this.cards.get(name);
    this.near.unobserve(element);
    render(null, element);
    element.remove();
    this.cards.delete(name);
    this.dirty.delete(name);
  }

  seen(entries) {
    for (const entry of entries) {
      const card = this.cards.get(entry.target.dataset.key);
      if (!card || card.near === entry.isIntersecting) continue;
      card.near = entry.isIntersecting;
      this.touch(entry.target.dataset.key);
    }
  }

  // Keyboard: one item of the tree takes part in the tab order, arrows move it.

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = this.view.roving;
    const moves = {
      ArrowDown: () => this.beside(at, 1), ArrowUp: () => this.beside(at, -1),
      ArrowRight: () => this.inside(at), ArrowLeft: () => this.outside(at),
      Home: () => this.level(at).at(0), End: () => this.level(at).at(-1),
      PageDown: () => this.beside(at, 10), PageUp: () => this.beside(at, -10),
    };
    if (at && moves[event.key]) this.go(moves[event.key]());
    else if (at && (event.key === "Enter" || event.key === " ")) this.on.choose(at);
    else if (event.key === "Escape") this.on.dismiss();
    else if (at && event.key === "w") this.on.ask(at.split("|")[0]);
    else return;
    event.preventDefault();
  }

  // All keys of the level that `key` is of, in the order of the page.
  level(key) {
    const depth = key.split("|").length;
    const found = [];
    for (const name of this.names) {
      const node = this.store.nodes.get(name);
      if (depth === 1) found.push(name);
      else for (const gpu of node.gpus) {
        if (depth === 2) found.push(keyOf(name, gpu.bdf));
        else for (const one of gpu.partitions) found.push(keyOf(name, gpu.bdf, one.id));
      }
    }
    return found;
  }

  beside(key, step) {
    const keys = this.level(key);
    return keys[Math.min(keys.length - 1, Math.max(0, keys.indexOf(key) + step))];
  }

  inside(key) {
    const [name, bdf, id] = key.split("|");
    const node = this.store.nodes.get(name);
    if (id !== undefined) return key;
    if (bdf === undefined) return node.gpus.length ? keyOf(name, node.gpus[0].bdf) : key;
    const gpu = node.gpus.find((each) => each.bdf === bdf);
    return gpu?.partitions.length ? keyOf(name, bdf, gpu.partitions[0].id) : key;
  }

  outside(key) {
    return key.includes("|") ? key.slice(0, key.lastIndexOf("|")) : key;
  }

  rove(key) {
    const before = this.view.roving;
    this.view.roving = key;
    for (const each of [before, key]) if (each) this.touch(each.split("|")[0]);
  }

  // Focus an item, drawing its card at once where it was out of view.
  go(key) {
    const name = key.split("|")[0];
    const card = this.cards.get(name);
    if (!card) return;
    const before = this.view.roving?.split("|")[0];
    this.view.roving = key;
    card.near = true;
    if (before && before !== name) this.drawCard(before);
    this.drawCard(name);
    const element = this.element(key);
    element?.focus({ preventScroll: true });
    element?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  element(key) {
    const card = this.cards.get(key.split("|")[0]);
    if (!card) return null;
    return card.element.dataset.key === key ? card.element : card.element.querySelector(`[data-key="${CSS.escape(key)}"]`);
  }

  focused(element) {
    const key = element?.dataset.key;
    if (key && key !== this.view.roving) this.rove(key);
  }

  click(event) {
    const element = event.target.closest("[data-key]");
    if (!element) return;
    this.go(element.dataset.key);
    this.on.choose(element.dataset.key);
  }

  drag(type, event) {
    if (!event.dataTransfer.types.includes("application/x-aim-model")) return;
    event.preventDefault();
    const name = event.target.closest(".card")?.dataset.key ?? null;
    for (const [each, card] of this.cards) card.element.classList.toggle("target", type === "dragover" && each === name);
    if (type === "drop") this.on.drop(event.dataTransfer.getData("application/x-aim-model"), name);
  }
}
