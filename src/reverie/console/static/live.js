// A session's page while the session goes on: what is new is added at its end, and nothing else is moved. The
// server's stream only rings; the page then asks for everything behind the last event it shows, so that nothing is
// missed and nothing comes twice, also after a restart of the server.
"use strict";
(() => {
  const MOST = 600; // entries on a page: what goes on for hours does not fill it
  const AGAIN = [1000, 2000, 4000, 8000]; // milliseconds until the next try to reach the server
  const $ = (selector) => document.querySelector(selector);
  let open = null; // the page that is watched: its list, its stream, how far it is

  const stop = () => {
    if (!open) return;
    open.source?.close();
    window.clearTimeout(open.timer);
    open = null;
  };

  const line = (words, bad) => {
    const shown = $("#line");
    if (shown) { shown.hidden = false; shown.textContent = words; shown.classList.toggle("cut-off", Boolean(bad)); }
  };

  const watch = () => {
    const list = $("ol[data-live]");
    if (open && open.list === list) return;
    stop();
    if (!list) return;
    open = { list, last: Number(list.dataset.last), busy: false, again: false, tries: 0, unseen: 0 };
    connect(open);
  };

  const connect = (page) => {
    if (page !== open || document.hidden) return;
    const source = new EventSource(`${page.list.dataset.live}?all_threads=true&after=${page.last}`);
    page.source = source;
    const ring = (event) => { if (event.type === "ping" || Number(event.lastEventId) > page.last) news(page); };
    page.list.dataset.heard.split(" ").forEach((type) => source.addEventListener(type, ring));
    source.addEventListener("open", () => { page.tries = 0; line("● live"); });
    source.addEventListener("error", () => {
      line("○ the server does not answer; trying again", true);
      if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      window.clearTimeout(page.timer);
      page.timer = window.setTimeout(() => connect(page), AGAIN[Math.min(page.tries++, AGAIN.length - 1)]);
    });
  };

  const news = async (page) => {
    if (page.busy) { page.again = true; return; }
    page.busy = true;
    try {
      do {
        page.again = false;
        const joint = page.list.dataset.since.includes("?") ? "&" : "?";
        const answer = await fetch(`${page.list.dataset.since}${joint}after=${page.last}`);
        if (!answer.ok || page !== open) break;
        take(page, new DOMParser().parseFromString(await answer.text(), "text/html"));
      } while (page.again && page === open);
    } catch { /* the stream tells that the server is away, and rings when it is back */ }
    page.busy = false;
  };

  const take = (page, told) => {
    const found = told.getElementById("news");
    if (!found) return;
    const atEnd = window.innerHeight + window.scrollY >= document.documentElement.scrollHeight - 120;
    let added = 0;
    for (const item of [...found.children]) if (add(page.list, item)) added += 1;
    page.last = Math.max(page.last, Number(found.dataset.last));
    if (found.hasAttribute("data-more")) page.again = true;
    document.querySelectorAll("input[name=token]").forEach((field) => { field.value = found.dataset.token; });
    restand(told);
    if (added) appended(page, added, atEnd);
    if (found.hasAttribute("data-over")) { line("it has ended"); page.source.close(); }
  };

  const add = (list, item) => {
    const known = item.id || item.querySelector("[id]")?.id;
    if (known && document.getElementById(known)) return false;
    const node = document.importNode(item, true);
    node.classList.add("new");
    const call = item.dataset.answers && list.querySelector(`[data-call="${CSS.escape(item.dataset.answers)}"]`);
    if (call && !call.querySelector(".event")) {
      const result = document.createElement("div");
      result.className = node.className;
      result.id = node.id;
      result.append(...node.childNodes);
      call.append(result);
      window.htmx?.process(result);
    } else {
      list.append(node);
      window.htmx?.process(node);
    }
    return true;
  };

  // How the session stands. While somebody is about to answer there, their words stay.
  const restand = (told) => {
    const old = $("#standing"), fresh = told.getElementById("standing");
    if (!old || !fresh || old.outerHTML === fresh.outerHTML) return;
    const typed = [...old.querySelectorAll("input[name=text]")].some((field) => field.value);
    if (typed || (old.contains(document.activeElement) && old.querySelector(".asks"))) return;
    const node = document.importNode(fresh, true);
    old.replaceWith(node);
    window.htmx?.process(node);
  };

  const appended = (page, added, atEnd) => {
    $("#no-events")?.remove();
    while (page.list.children.length > MOST) page.list.firstElementChild.remove();
    const upto = $("[data-upto]");
    if (upto) upto.textContent = page.last.toLocaleString("en");
    page.unseen = atEnd ? 0 : page.unseen + added;
    const words = `${page.unseen || added} new event${(page.unseen || added) === 1 ? "" : "s"}`;
    window.clearTimeout(page.saying); // many at once are said once
    page.saying = window.setTimeout(() => { const heard = $("#heard"); if (heard) heard.textContent = words; }, 800);
    const jump = $("#newest");
    if (atEnd) window.scrollTo({ top: document.documentElement.scrollHeight });
    else if (jump) { jump.hidden = false; jump.textContent = `${words} ↓`; }
  };

  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("#newest")) return;
    const last = open?.list.lastElementChild;
    event.target.hidden = true;
    if (open) open.unseen = 0;
    if (!last) return;
    last.tabIndex = -1;
    last.scrollIntoView({ block: "end" });
    last.focus({ preventScroll: true });
  });
  document.addEventListener("scroll", () => {
    const jump = $("#newest");
    if (!jump || jump.hidden || !open) return;
    const box = open.list.getBoundingClientRect();
    if (box.bottom <= window.innerHeight) { jump.hidden = true; open.unseen = 0; }
  }, { passive: true });
  document.addEventListener("visibilitychange", () => {
    if (!open) return;
    if (document.hidden) { open.source?.close(); window.clearTimeout(open.timer); } else connect(open);
  });
  window.addEventListener("pagehide", stop);
  window.addEventListener("pageshow", watch);
  document.addEventListener("htmx:afterSettle", watch);
  watch();
})();
