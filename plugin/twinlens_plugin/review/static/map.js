// The tiles: the table of folders once more, as areas. Who hears the page has the table.
// Squarified treemap: Bruls, Huizing, van Wijk, "Squarified Treemaps", 2000.

const tiles = document.getElementById("tiles");
const rows = [...document.querySelectorAll("#folders tbody tr")].map((row) => ({
  bytes: Number(row.dataset.bytes),
  name: row.querySelector("th").textContent,
  size: row.querySelector(".number").textContent.trim(),
  link: row.querySelector("a.into")?.href ?? row.querySelector("td a")?.href ?? null,
}));

/** Lay areas out in a rectangle; yields [x, y, width, height] in the order given, largest first. */
export function* squarified(areas, x, y, width, height) {
  let rest = areas;
  while (rest.length) {
    const side = Math.min(width, height);
    let taken = 1;
    let sum = rest[0];
    while (taken < rest.length && worst(rest, taken + 1, sum + rest[taken], side) <= worst(rest, taken, sum, side)) {
      sum += rest[taken];
      taken += 1;
    }
    const depth = sum / side;
    let along = 0;
    for (const area of rest.slice(0, taken)) {
      const length = area / depth;
      yield width >= height ? [x, y + along, depth, length] : [x + along, y, length, depth];
      along += length;
    }
    if (width >= height) [x, width] = [x + depth, width - depth];
    else [y, height] = [y + depth, height - depth];
    rest = rest.slice(taken);
  }
}

/** The ratio of sides farthest from a square's, of the first `count` areas laid along `side`. */
function worst(areas, count, sum, side) {
  const [most, least] = [areas[0], areas[count - 1]];
  return Math.max((side * side * most) / (sum * sum), (sum * sum) / (side * side * least));
}

function draw() {
  const { clientWidth: width, clientHeight: height } = tiles;
  const all = rows.reduce((sum, row) => sum + row.bytes, 0);
  if (!all || !width) return;
  // Tiles that nobody could press are left to the table.
  const shown = rows.filter((row) => (row.bytes / all) * width * height > 300);
  const some = shown.reduce((sum, row) => sum + row.bytes, 0);
  const places = [...squarified(shown.map((row) => (row.bytes / some) * width * height), 0, 0, width, height)];
  tiles.replaceChildren(...shown.map((row, place) => tile(row, places[place], shown[0].bytes)));
}

function tile(row, [x, y, width, height], most) {
  const made = document.createElement(row.link ? "a" : "div");
  made.className = "tile";
  made.title = `${row.name}: ${row.size}`;
  if (row.link) Object.assign(made, { href: row.link, tabIndex: -1 });
  Object.assign(made.style, { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` });
  made.style.setProperty("--share", `${(100 * row.bytes) / most}%`);
  if (width > 56 && height > 30) made.append(text("name", row.name));
  if (width > 72 && height > 52) made.append(text("size", row.size));
  return made;
}

function text(className, words) {
  const made = document.createElement("span");
  made.className = className;
  made.textContent = words;
  return made;
}

if (tiles && rows.length > 1) {
  tiles.hidden = false;
  new ResizeObserver(draw).observe(tiles);
}
