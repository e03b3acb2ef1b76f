// What is under the pointer, in a few words; screen readers have the same as the item's label.

export function startTip(root, tip) {
  let over = null;
  const hide = () => {
    over = null;
    tip.hidden = true;
  };
  root.addEventListener("pointerover", (event) => {
    const element = event.target.closest("[data-key]");
    if (!element || element === over) return;
    over = element;
    tip.replaceChildren(...lines(element).map((text, index) => {
      const line = document.createElement(index ? "span" : "b");
      line.textContent = text;
      return line;
    }));
    tip.hidden = false;
    const box = element.getBoundingClientRect();
    const own = tip.getBoundingClientRect();
    const left = Math.min(Math.max(8, box.left + box.width / 2 - own.width / 2), innerWidth - own.width - 8);
    const below = box.bottom + 8;
    tip.style.left = `${left}px`;
    tip.style.top = `${below + own.height < innerHeight - 8 ? below : box.top - own.height - 8}px`;
  });
  root.addEventListener("pointerleave", hide);
  root.addEventListener("click", hide);
  addEventListener("scroll", hide, { passive: true });
}

function lines(element) {
  return element.getAttribute("aria-label")?.split(", ") ?? [];
}
