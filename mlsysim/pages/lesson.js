// What a lesson's page does in a browser: sends commitments, moves focus to the mark, folds, and shows slides.
(() => {
  if (window.mlsysim) return;
  window.mlsysim = true;

  const live = document.createElement("div");
  live.id = "mls-live";
  live.setAttribute("role", "status");
  document.body.append(live);

  // marimo listens for this event, and gives `value` to the element's Python twin
  const send = (element, value) =>
    element.dispatchEvent(new CustomEvent("marimo-value-input", {
      bubbles: true, composed: true, detail: { value, element },
    }));

  let awaited = null; // the question whose mark the reader waits for

  if (!customElements.get("mlsysim-ask")) {
    customElements.define("mlsysim-ask", class extends HTMLElement {
      connectedCallback() {
        if (this.listens) return;
        this.listens = true;
        this.addEventListener("marimo-incoming-message", (event) => this.told(event.detail.message));
        this.addEventListener("submit", (event) => { event.preventDefault(); this.commit(); });
        this.addEventListener("click", (event) => this.move(event.target.closest("[data-move]")));
      }
      commit() {
        const form = new FormData(this.querySelector("form"));
        const order = [...this.querySelectorAll("[data-item]")].map((item) => item.dataset.item);
        awaited = JSON.parse(this.dataset.question);
        this.querySelector(".mls-fault").textContent = "";
        send(this, {
          value: order.length ? order : form.get("value"),
          cause: form.get("cause"), because: form.get("because"), confidence: form.get("confidence"),
          sent: Date.now(), // the same answer sent again is looked at again
        });
      }
      told(message) {
        if (!message || !message.fault) return;
        awaited = null;
        this.querySelector(".mls-fault").textContent = message.fault;
        const field = this.querySelector("input[type=text]");
        if (field) field.focus();
      }
      move(button) {
        if (!button) return;
        const item = button.closest("li"), by = Number(button.dataset.move);
        const other = by < 0 ? item.previousElementSibling : item.nextElementSibling;
        if (!other) return;
        other[by < 0 ? "before" : "after"](item);
        button.focus();
        const place = [...item.parentElement.children].indexOf(item) + 1;
        live.textContent = `${item.dataset.item}: place ${place}`;
      }
      // what marimo asks of every element of its own
      get __type__() { return "__custom_marimo_element__"; }
      reset() {}
      rerender() {}
    });
  }

  // a commitment that a lost network took along is sent again, as long as its form stands here
  document.addEventListener("mlsysim-back", () => {
    const asked = [...document.querySelectorAll("mlsysim-ask")].find((each) => JSON.parse(each.dataset.question) === awaited);
    if (asked && !asked.querySelector("[data-said]")) asked.commit();
  });

  const reached = (mark) => {
    awaited = null;
    const all = [...document.querySelectorAll(".mls-more")];
    const mine = mark.parentElement.querySelector(".mls-more");
    all.forEach((each) => { if (each !== mine) each.open = false; });
    live.textContent = [...mark.querySelectorAll(".mls-mark > div")].map((each) => each.textContent.trim()).join(" ");
    mark.focus({ preventScroll: true });
    mark.scrollIntoView({ block: "center", behavior: "auto" });
  };

  // what marimo leaves unnamed in the shadows: an editor of code, which may lie in a form
  const nameEditors = (root) => root.querySelectorAll("marimo-dict, marimo-code-editor").forEach(({ shadowRoot: inner }) => {
    if (!inner) return;
    if (!inner.watched) {
      inner.watched = true;
      new MutationObserver(() => nameEditors(root)).observe(inner, { childList: true, subtree: true });
    }
    inner.querySelectorAll(".cm-content:not([aria-label])").forEach((each) => each.setAttribute("aria-label", "Your code"));
    nameEditors(inner);
  });

  // and what it draws there in the colours of day
  const dressButtons = () => document.querySelectorAll("marimo-download, marimo-button").forEach(({ shadowRoot: inner }) => {
    if (!inner?.querySelector(".marimo") || inner.dressed) return;
    inner.dressed = true;
    inner.append(Object.assign(document.createElement("style"), {
      textContent: ".marimo, .marimo * { --secondary: var(--card); --secondary-foreground: var(--ink) }",
    }));
  });

  let folded = false; // once, on a page that is opened again: all but the last answer
  const look = () => {
    // what marimo leaves without a name: its menu, and the page's main part
    document.querySelectorAll("button[aria-haspopup=menu]:not([aria-label])").forEach((each) => each.setAttribute("aria-label", "Menu"));
    document.querySelectorAll("pre:not([tabindex])").forEach((each) => each.setAttribute("tabindex", "0"));
    document.querySelector("#App:not([role])")?.setAttribute("role", "main");
    document.querySelectorAll("th:empty:not([role])").forEach((each) => each.setAttribute("role", "cell"));
    document.querySelectorAll("table:not([tabindex])").forEach((each) => { if (innerWidth < 600 || each.scrollWidth > each.clientWidth) each.setAttribute("tabindex", "0"); });
    nameEditors(document);
    dressButtons();
    const marks = [...document.querySelectorAll("[data-mark]")];
    if (awaited !== null) {
      const mark = marks.find((each) => each.dataset.mark === awaited);
      if (mark) { folded = true; reached(mark); }
    } else if (!folded && marks.length > 1) {
      marks.slice(0, -1).forEach((each) => {
        const more = each.parentElement.querySelector(".mls-more");
        if (more && !more.dataset.seen) { more.dataset.seen = "yes"; more.open = false; }
      });
    }
  };
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true });

  // a chart that was drawn while folded has no width yet
  document.addEventListener("toggle", () => window.dispatchEvent(new Event("resize")), true);

  if (new URLSearchParams(location.search).has("slides")) {
    document.documentElement.classList.add("mls-slides");
    const steps = () => [...document.querySelectorAll(".output-area")].filter((each) => each.offsetHeight > 40);
    const here = (all) => all.findLastIndex((each) => each.getBoundingClientRect().top < innerHeight / 3);
    document.addEventListener("keydown", (event) => {
      if (event.composedPath()[0].closest("input, textarea, select, [role=slider], button, summary")) return;
      const by = { ArrowRight: 1, PageDown: 1, ArrowLeft: -1, PageUp: -1 }[event.key];
      if (!by) return;
      event.preventDefault();
      const all = steps();
      all[Math.min(Math.max(here(all) + by, 0), all.length - 1)]?.scrollIntoView({ block: "start", behavior: "smooth" });
    });
  }
})();
