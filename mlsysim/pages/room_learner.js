// What a lesson's page does in a class: hears what the speaker opens and asks again, and says where the room is.
(() => {
  if (window.mlsysimRoom) return;
  window.mlsysimRoom = true;
  const OFTEN = 1000, PATIENT = 8000; // ms
  const bar = document.createElement("p");
  bar.className = "mls-room";
  bar.setAttribute("role", "status");
  document.body.append(bar);

  // /base/NN_slug/ or /base/exercise/NN_slug/: what stands before is the base
  const [, base, stem] = location.pathname.match(/^(.*?)\/(?:exercise\/)?([^/]+)\/?$/) || ["", "", ""];
  const told = new Map(); // question -> when this page told its notebook of the release
  let lost = false;

  const nudge = (element) => {
    const value = { room: Date.now() };
    element.dispatchEvent(new CustomEvent("marimo-value-input", { bubbles: true, composed: true, detail: { value, element } }));
  };
  const asks = () => [...document.querySelectorAll("mlsysim-ask[data-question]")];
  const named = (element) => JSON.parse(element.dataset.question);

  const show = (state) => {
    for (const element of asks()) {
      const question = named(element), waits = element.querySelector(".mls-waits");
      const again = element.querySelector(".mls-again");
      if (again) again.hidden = !state.again.includes(question);
      if (waits && state.released.includes(question)) {
        const then = told.get(question);
        if (!then) { told.set(question, Date.now()); nudge(element); }
        else if (Date.now() - then > PATIENT) location.reload(); // the notebook did not hear it
      }
    }
    bar.textContent = "";
    bar.classList.remove("mls-lost");
    if (state.stem && state.stem !== stem) {
      const link = document.createElement("a");
      link.href = `${base}/${state.stem}/`;
      link.textContent = `The room is at lesson ${state.title}: go there`;
      bar.append(link);
    }
  };

  const look = async () => {
    try {
      const reply = await fetch(`${base}/room/state`, { cache: "no-store" });
      if (reply.status === 403) { location.assign(`${base}/join`); return; }
      if (!reply.ok) throw new Error(reply.status);
      show(await reply.json());
      // what was committed without a network is sent again; the first one to arrive stands
      if (lost) document.dispatchEvent(new Event("mlsysim-back"));
      lost = false;
    } catch {
      lost = true;
      bar.textContent = "No connection to the room. What you committed is kept; the page goes on by itself.";
      bar.classList.add("mls-lost");
    }
    setTimeout(look, OFTEN * (0.8 + 0.4 * Math.random()));
  };
  look();
})();
