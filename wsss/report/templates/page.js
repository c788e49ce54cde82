"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const shown = (element) => !element.closest("[hidden]");

  // The values of a chart's lines, where the pointer or the focus is.
  for (const svg of all(".chart>svg")) {
    const chart = svg.closest(".chart"), out = chart.querySelector("output"), line = svg.querySelector(".pointer");
    const { left, right, low, high } = Object.fromEntries(Object.entries(svg.dataset).map(([k, v]) => [k, +v]));
    const series = all("path.line", svg).map((path) => ({
      name: path.dataset.name,
      x: path.dataset.x.split(" ").map(Number),
      y: path.dataset.y.split(" ").map(Number),
    }));
    const places = [...new Set(series.flatMap((s) => s.x))].sort((a, b) => a - b);
    let at = 0;
    const show = (index) => {
      at = Math.max(0, Math.min(places.length - 1, index));
      const x = places[at], px = left + ((x - low) / (high - low)) * (right - left);
      line.setAttribute("x1", px);
      line.setAttribute("x2", px);
      const nearest = (s) => s.x.reduce((best, v, i) => (Math.abs(v - x) < Math.abs(s.x[best] - x) ? i : best), 0);
      out.textContent = [`${svg.dataset.name}  ${+x.toPrecision(4)}`, ...series.map((s) => `${s.name}  ${+s.y[nearest(s)].toPrecision(4)}`)].join("\n");
      const scale = svg.clientWidth / svg.viewBox.baseVal.width, beyond = px * scale > svg.clientWidth / 2;
      out.style.left = beyond ? "auto" : `${px * scale + 24}px`;
      out.style.right = beyond ? `${svg.clientWidth - px * scale + 20}px` : "auto";
      chart.classList.add("read");
    };
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const x = low + (((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width - left) / (right - left) * (high - low);
      show(places.reduce((best, v, i) => (Math.abs(v - x) < Math.abs(places[best] - x) ? i : best), 0));
    });
    const hide = () => chart.classList.remove("read");
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("blur", hide);
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) { event.preventDefault(); show(at + step); }
      if (event.key === "Escape") hide();
    });
  }

  // The gallery: filters.
  const rows = all(".row"), byClass = document.getElementById("by-class"), byWhy = document.getElementById("by-why");
  if (byClass) {
    const filter = () => {
      const wanted = new Set(all("input[name=stage]:checked").map((box) => box.value));
      for (const row of rows) {
        const classes = row.dataset.classes.split(";");
        row.hidden = !((!byClass.value || classes.includes(byClass.value)) && row.dataset.why.startsWith(byWhy.value));
        for (const figure of all("figure", row)) figure.hidden = !wanted.has(figure.dataset.stage);
      }
      const count = rows.filter((row) => !row.hidden).length;
      document.getElementById("count").textContent = `${count} of ${rows.length} images`;
    };
    document.querySelector(".filters").addEventListener("input", (event) => {
      if (event.target.id === "cover") document.getElementById("gallery").style.setProperty("--cover", event.target.value / 100);
      else filter();
    });
    document.querySelector(".filters").addEventListener("submit", (event) => event.preventDefault());
    filter();
  }

  // Enlarged pictures, and keys: left and right within an image, up and down between images.
  const dialog = document.getElementById("large");
  if (dialog) {
    let current = null;
    const pictures = (row) => all(".picture", row).filter(shown);
    const move = (from, step, across) => {
      const row = from.closest(".row"), own = pictures(row), place = own.indexOf(from);
      if (!across) {
        const flat = rows.filter(shown).flatMap(pictures);
        return flat[flat.indexOf(from) + step] ?? from;
      }
      const visible = rows.filter(shown), next = visible[visible.indexOf(row) + step];
      if (!next) return from;
      const stage = from.closest("figure").dataset.stage, there = pictures(next);
      return there.find((p) => p.closest("figure").dataset.stage === stage) ?? there[Math.min(place, there.length - 1)];
    };
    const enlarge = (picture) => {
      current = picture;
      const large = dialog.querySelector(".picture"), row = picture.closest(".row");
      large.innerHTML = picture.innerHTML;
      large.classList.toggle("bare", picture.classList.contains("bare"));
      for (const name of ["--photo", "--ratio"]) dialog.style.setProperty(name, row.style.getPropertyValue(name));
      dialog.querySelector("figcaption").textContent = picture.getAttribute("aria-label");
      if (!dialog.open) dialog.showModal();
    };
    const keys = { ArrowLeft: [-1, false], ArrowRight: [1, false], ArrowUp: [-1, true], ArrowDown: [1, true] };
    document.addEventListener("click", (event) => {
      const picture = event.target.closest(".row .picture");
      if (picture) enlarge(picture);
      else if (event.target.closest("[data-move]")) enlarge(move(current, +event.target.closest("[data-move]").dataset.move, false));
      else if (event.target.closest("dialog")) dialog.close();
    });
    document.addEventListener("keydown", (event) => {
      const way = keys[event.key], focused = document.activeElement?.closest(".row .picture");
      if (!way || !(dialog.open || focused)) return;
      event.preventDefault();
      const next = move(dialog.open ? current : focused, ...way);
      if (dialog.open) enlarge(next);
      else { next.focus(); next.scrollIntoView({ block: "nearest" }); }
    });
    dialog.addEventListener("close", () => { current?.focus(); current?.scrollIntoView({ block: "nearest" }); });
  }

  // Which section is being read.
  const nav = document.querySelector("nav"), links = new Map(all("a", nav).map((link) => [link.hash.slice(1), link]));
  for (const [id, link] of links) if (!document.getElementById(id)) link.hidden = true;
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const link = links.get(entry.target.id);
      link?.classList.toggle("here", entry.isIntersecting);
      if (link && entry.isIntersecting) nav.scrollTo({ left: link.offsetLeft - nav.offsetLeft - (nav.clientWidth - link.offsetWidth) / 2 });
    }
  }, { rootMargin: "-20% 0px -70% 0px" });
  all("main>section").forEach((section) => seen.observe(section));
})();
