// Renews the part of a page that is about the store, when the base says that something came.
// Without this file the page is the same, and reloads by hand or by itself.
(() => {
  const live = document.getElementById("live");
  if (!live || !live.dataset.since || !window.EventSource) return;
  let shown = live.innerHTML;
  let busy = false;
  let again = false;
  let touched = false; // somebody has filled something in: what they wrote must not vanish

  function typing() {
    const at = document.activeElement;
    return touched || (live.contains(at) && /^(INPUT|SELECT|TEXTAREA)$/.test(at.tagName));
  }

  async function renew() {
    if (busy || typing()) { again = true; return; }
    busy = true;
    again = false;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (answer.redirected || !answer.ok) { location.reload(); return; }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("live");
      if (fresh && fresh.innerHTML !== shown) {
        shown = fresh.innerHTML;
        live.replaceChildren(...fresh.childNodes);
      }
    } catch (error) {
      again = true; // the base is away for a moment; the stream will be back too
    } finally {
      busy = false;
    }
  }

  live.addEventListener("input", () => { touched = true; });
  live.addEventListener("focusout", () => { if (again) setTimeout(renew, 0); });
  const stream = new EventSource("/live?since=" + encodeURIComponent(live.dataset.since));
  stream.addEventListener("changed", renew);
  addEventListener("pagehide", () => stream.close());
})();
