/* A page that is kept up to date: the server tells when it has changed, and it is asked for again. */

const main = document.getElementById("main");
const note = document.getElementById("live");
let fetching = false;
let stale = false;

/* Replace what has changed and nothing else: what is open stays open, what is chosen chosen. */
function take(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  if (!main.querySelector("[data-live]")) {
    main.replaceChildren(...fresh.body.childNodes);
  } else {
    for (const part of main.querySelectorAll("[data-live]")) {
      const now = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
      if (!now || now.innerHTML === part.innerHTML) continue;
      const open = [...part.querySelectorAll("details")].map((d) => d.open);
      part.replaceChildren(...now.childNodes);
      part.querySelectorAll("details").forEach((d, i) => { d.open = Boolean(open[i]); });
    }
    const data = fresh.getElementById("data");
    if (data) document.getElementById("data").textContent = data.textContent;
  }
  window.dispatchEvent(new Event("pathnet-content"));
}

async function ask() {
  stale = fetching;
  if (fetching) return;
  fetching = true;
  try {
    const answer = await fetch("content");
    if (answer.ok) {
      take(await answer.text());
      note.textContent = `live, ${new Date().toLocaleTimeString()}`;
    } else {
      note.textContent = await answer.text();
    }
  } catch {
    note.textContent = "no answer; retrying";
  }
  fetching = false;
  if (stale) ask();
}

const source = new EventSource("events");
source.addEventListener("changed", ask);
source.addEventListener("error", () => { note.textContent = "no connection; retrying"; });
source.addEventListener("open", () => { note.textContent = "live"; });
