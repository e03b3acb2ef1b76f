// Asks for a token where the server takes none, or not this one any more. It is sent to this server alone, and kept by this tab.

import { Component, h } from "./vendor/preact.js";
import { sentence } from "./words.js";

export class Enter extends Component {
  render({ why, enter }) {
    const take = (event) => {
      event.preventDefault();
      const given = event.target.elements.token.value.trim();
      if (given) enter(given);
    };
    return h("form", { class: "panel enter", onSubmit: take }, [
      h("h2", null, "Who are you?"),
      h("p", { role: "alert" }, sentence(why)),
      h("label", null, ["Token", h("input", { id: "token", name: "token", type: "password", required: true, autocomplete: "off", spellcheck: false })]),
      h("p", { class: "quiet" }, "It stays in this tab, and goes to this server alone."),
      h("div", { class: "acts" }, h("button", { type: "submit", class: "strong" }, "Show the map")),
    ]);
  }
}

// Of a request: nothing where there is no token, as behind a proxy that gives it.
export function bearing(token) {
  return token ? { Authorization: `Bearer ${token}` } : {};
}
