// The board and the speaker's window: what the room said, drawn; what the speaker does, sent. Every string is set as text.
(() => {
  const root = document.getElementById("board"), base = root.dataset.base, speaks = root.dataset.view === "speaker";
  const OFTEN = 400; // ms: a vote is on the wall well within a second
  const at = (id) => document.getElementById(id);
  const put = (id, text) => { const each = at(id); if (each) { each.textContent = text; each.hidden = !text; } };
  const percent = (share) => `${Math.round(100 * share)} %`;
  let state = {}, plotted = "", drawnFor = "", handsFor = "", skew = 0, wasShown = false;

  // ---- drawing ----------------------------------------------------------------------------------
  const NS = "http://www.w3.org/2000/svg", WIDE = 960;
  const draw = (parent, name, facts, text) => {
    const made = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(facts)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    parent.append(made);
    return made;
  };
  const short = (n) => (Math.abs(n) >= 1e6 || (n && Math.abs(n) < 1e-3) ? n.toExponential(0).replace("e+", "e") : Number(n.toPrecision(3)).toLocaleString("en"));
  const canvas = (high, label) => {
    const svg = document.createElementNS(NS, "svg");
    svg.setAttribute("viewBox", `0 0 ${WIDE} ${high}`);
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", label);
    at("plot").replaceChildren(svg);
    return svg;
  };

  // bars of words: one row an answer, one bar a round; the right one is named once it is open
  const bars = () => {
    const open = state.truth !== undefined;
    const known = state.options.length ? state.options : [...new Set(state.rounds.flat().map(([answer]) => answer))];
    const totals = state.rounds.map((round) => round.reduce((sum, [, n]) => sum + n, 0));
    const many = state.rounds.map((round) => Object.fromEntries(round));
    const rounds = state.again && totals[1] ? [0, 1] : [0];
    const rows = known.map((answer) => [answer, rounds.map((r) => many[r][answer] || 0)]);
    if (!state.options.length) rows.sort((a, b) => b[1][0] - a[1][0]).splice(7);
    const tall = 44 + 26 * rounds.length, svg = canvas(rows.length * tall + 10, "The room's answers");
    const most = Math.max(1, ...rounds.map((r) => totals[r]));
    rows.forEach(([answer, counts], i) => {
      const y = i * tall + 22, right = open && answer === state.truth;
      draw(svg, "text", { x: 4, y, class: right ? "right" : "" }, (right ? "✓ " : "") + answer);
      counts.forEach((n, r) => {
        const width = Math.max(2, (WIDE - 190) * n / most), top = y + 8 + 26 * r;
        draw(svg, "rect", { x: 4, y: top, width, height: 21, rx: 4, class: `bar${rounds[r] + 1}` });
        const share = totals[r] ? ` · ${percent(n / totals[r])}` : "";
        draw(svg, "text", { x: width + 12, y: top + 16, class: "quiet" }, `${n}${share}${rounds.length > 1 ? (r ? " after talking" : " first") : ""}`);
      });
    });
  };

  // numbers on a logarithmic axis: stacked dots, or first to second answer once there are two
  const axis = (values) => {
    const above = values.filter((v) => v > 0), low = Math.min(...above), high = Math.max(...above);
    const from = Math.floor(Math.log10(low / 1.5)), to = Math.max(from + 1, Math.ceil(Math.log10(high * 1.5)));
    const ticks = [];
    for (let p = from; p <= to; p++) for (const m of to - from < 3 ? [1, 2, 5] : [1]) if (p < to || m === 1) ticks.push(m * 10 ** p);
    return { ticks, place: (v) => (v > 0 ? (Math.log10(v) - from) / (to - from) : 0) };
  };
  const dots = () => {
    const open = state.truth !== undefined, values = state.rounds.flat().map(([v]) => v).concat(open ? [state.truth] : []);
    if (!values.some((v) => v > 0)) return bars();
    const { ticks, place } = axis(values);
    if (state.again && state.pairs.length) return slopes(ticks, place);
    const high = 420, floor = high - 56, x = (v) => 40 + (WIDE - 80) * place(v), svg = canvas(high, "The room's numbers");
    const piles = new Map();
    for (const [v, n] of state.rounds[state.again && state.rounds[1].length ? 1 : 0]) {
      const pile = Math.round(x(v) / 17);
      piles.set(pile, (piles.get(pile) || 0) + n);
    }
    const step = Math.min(17, (floor - 30) / Math.max(1, ...piles.values()));
    draw(svg, "line", { x1: 30, x2: WIDE - 30, y1: floor, y2: floor, class: "axis" });
    for (const tick of ticks) {
      draw(svg, "line", { x1: x(tick), x2: x(tick), y1: floor, y2: floor + 6, class: "axis" });
      draw(svg, "text", { x: x(tick), y: floor + 24, "text-anchor": "middle" }, short(tick));
    }
    draw(svg, "text", { x: WIDE / 2, y: high - 8, "text-anchor": "middle", class: "quiet" }, state.unit === "x" ? "times" : state.unit);
    for (const [pile, n] of piles) for (let i = 0; i < n; i++) draw(svg, "circle", { cx: pile * 17, cy: floor - step * (i + 0.5), r: 8, class: "dot" });
    if (open) {
      const here = x(state.truth);
      draw(svg, "line", { x1: here, x2: here, y1: 24, y2: floor, class: "rule" });
      draw(svg, "text", { x: here, y: 18, "text-anchor": here > WIDE - 160 ? "end" : here < 160 ? "start" : "middle", class: "right" }, state.words);
    }
  };
  const slopes = (ticks, place) => {
    const high = 480, y = (v) => high - 50 - (high - 90) * place(v), svg = canvas(high, "From first to second answer"), left = 190, right = WIDE - 190;
    for (const tick of ticks) {
      draw(svg, "line", { x1: left, x2: right, y1: y(tick), y2: y(tick), class: "axis" });
      draw(svg, "text", { x: left - 26, y: y(tick) + 5, "text-anchor": "end", class: "quiet" }, `${short(tick)} ${state.unit === "x" ? "×" : state.unit}`);
    }
    for (const [a, b] of state.pairs) {
      draw(svg, "line", { x1: left, x2: right, y1: y(a), y2: y(b), class: "slope" });
      draw(svg, "circle", { cx: left, cy: y(a), r: 7, class: "dot" });
      draw(svg, "circle", { cx: right, cy: y(b), r: 7, class: "dot second" });
    }
    draw(svg, "text", { x: left, y: high - 12, "text-anchor": "middle" }, "first");
    draw(svg, "text", { x: right, y: high - 12, "text-anchor": "middle" }, "after talking");
    if (state.truth !== undefined) {
      draw(svg, "line", { x1: left - 14, x2: right + 14, y1: y(state.truth), y2: y(state.truth), class: "rule" });
      draw(svg, "text", { x: right + 20, y: y(state.truth) + 5, class: "right" }, state.words);
    }
  };

  const plot = () => {
    const facts = JSON.stringify([state.question, state.rounds, state.pairs, state.truth]);
    at("plot").hidden = !state.shown || !state.rounds.some((round) => round.length);
    if (facts === plotted || at("plot").hidden) return;
    plotted = facts;
    (state.options.length || state.order.length ? bars : dots)();
  };
  const curve = () => {
    const frame = at("curve"), wanted = state.phase === "reveal" && state.truth !== undefined ? state.question : "";
    if (!frame || wanted === drawnFor) return;
    drawnFor = wanted;
    frame.hidden = true;
    if (!wanted) return;
    const address = `${base}board/picture?question=${wanted}`;
    at("day").onload = () => { frame.hidden = false; };
    at("night").srcset = `${address}&dark`;
    at("day").src = address;
    at("day").alt = `What the solver says: ${state.words}`;
  };

  // ---- hands --------------------------------------------------------------------------------------
  const hands = () => {
    if (handsFor === state.question) return;
    handsFor = state.question;
    const form = at("hands");
    form.replaceChildren();
    const field = (name, label, hint) => {
      const made = document.createElement("label"), box = document.createElement("input");
      made.textContent = label;
      box.type = "text"; box.name = name; box.autocomplete = "off"; box.inputMode = hint ? "text" : "numeric"; box.placeholder = hint || "0";
      if (hint) box.className = "wide";
      made.append(box);
      form.append(made);
    };
    if (state.options.length) state.options.forEach((option) => field(option, option, ""));
    else field("", state.order.length ? "Each order = hands; orders parted by ;" : `Each number${state.unit ? ` in ${state.unit}` : ""} = hands`, state.order.length ? `${state.order.join(", ")} = 12` : "3 = 12; 30 = 5");
    const button = document.createElement("button");
    button.textContent = "Count them";
    form.append(button);
  };
  const counted = () => {
    const boxes = [...at("hands").querySelectorAll("input")];
    const parts = boxes[0].name ? boxes.map((box) => [box.name, box.value || "0"]) : boxes[0].value.split(";").filter((each) => each.trim()).map((each) => each.split("=").map((part) => part.trim()));
    return Object.fromEntries(parts.map(([answer, count]) => [answer, Number(count)]));
  };

  // ---- the page -----------------------------------------------------------------------------------
  const seconds = (s) => `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, "0")}`;
  const show = () => {
    if (!state.question) return;
    put("seats", String(state.seats));
    if (!speaks) put("lesson", state.lesson);
    put("text", state.text);
    const answered = state.again ? `${state.counts[1]} of ${state.counts[0]} have answered again` : `${state.counts[0]} of ${state.seats} have answered`;
    put("counts", state.phase === "reveal" ? "" : answered);
    put("left", state.phase === "discuss" ? (state.left > 0 ? `Convince your neighbour: ${seconds(state.left)}` : "Time is up: ask again") : "");
    put("truth", state.truth === undefined ? "" : `The solver says: ${state.words}`);
    const moved = typeof state.moved === "number" ? `${percent(state.moved)} of those who answered twice came nearer to it. ` : "";
    put("moved", moved + (state.phase === "reveal" && state.certain_and_wrong ? `Certain and wrong: ${state.certain_and_wrong}.` : ""));
    at("suggest").hidden = !(state.suggest && state.phase === "votes" && !state.again);
    document.querySelectorAll("[data-do]").forEach((each) => each.setAttribute("aria-pressed", String(each.dataset.do === state.phase)));
    document.querySelector("[data-do=next]").disabled = !state.next;
    if (at("entry") && state.shown !== wasShown) join(!state.shown);
    wasShown = state.shown;
    plot(); curve(); hands();
    if (speaks) beside();
  };
  const beside = () => {
    skew = Date.now() / 1000 - state.now;
    const right = (state.right || []).filter((share) => share !== null).map(percent);
    const sure = state.certain_and_wrong;
    put("right", right.length ? `Right: ${right.join(", after talking ")}. Certain and wrong: ${sure}. The answer: ${state.words}.` : state.words ? `The answer: ${state.words}.` : "The answer is being worked out …");
    if (at("goto") && document.activeElement !== at("goto")) at("goto").value = state.question;
  };
  const clock = () => {
    if (!state.started) return;
    const minutes = (Date.now() / 1000 - skew - state.started) / 60, rows = [...document.querySelectorAll("tr[data-start]")];
    at("clock").textContent = seconds(60 * minutes);
    let end = 0, cut = "";
    for (const row of rows) {
      const here = row.dataset.asks.split(" ").includes(state.question);
      row.classList.toggle("here", here);
      row.classList.toggle("now", row.dataset.start <= minutes && minutes < row.dataset.end);
      if (here) { end = Number(row.dataset.end); cut = row.querySelector(".cut")?.textContent || ""; }
    }
    const late = end ? Math.floor(minutes - end) : 0;
    put("late", late > 0 ? `${late} min late. ${cut}` : "");
  };

  const act = async (facts) => {
    const reply = await fetch(`${base}board/act`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ question: state.question, ...facts }) });
    put("fault", reply.ok ? "" : await reply.text());
    await look();
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    if (!button) return;
    const what = button.dataset.do;
    if (what === "next") act({ do: "ask", question: state.next });
    else act(what === "discuss" ? { do: what, seconds: 120 } : { do: what });
  });
  at("hands").addEventListener("submit", (event) => {
    event.preventDefault();
    act({ do: "hands", round: state.again ? 2 : 1, counts: counted() });
  });
  if (at("goto")) at("goto").addEventListener("change", (event) => act({ do: "ask", question: event.target.value }));
  const join = (open) => { at("entry").hidden = !open; at("joining").setAttribute("aria-expanded", String(open)); };
  at("joining").addEventListener("click", () => join(at("entry").hidden));
  if (!at("entry")) at("joining").hidden = true;

  const look = async () => {
    try {
      const reply = await fetch(`${base}board/state${speaks ? "?speaker" : ""}`, { cache: "no-store" });
      if (reply.ok) { state = await reply.json(); show(); }
    } catch { /* the server is starting again: the next look finds it */ }
  };
  const again = async () => { await look(); setTimeout(again, OFTEN); };
  again();
  setInterval(clock, 500);
})();
