// The way back: where one was in the list when one left it.

const PLACE = "list-place";

/** Remember where one is, when one leaves. */
export function rememberPlace(pages, walk) {
  const group = walk.firstVisible();
  if (!group) return;
  const place = {
    address: location.search,
    pages: pages.remembered(),
    page: group.closest(".page").dataset.after,
    group: group.dataset.group,
    top: group.getBoundingClientRect().top,
    photo: walk.current?.dataset.photo ?? null,
  };
  try {
    sessionStorage.setItem(PLACE, JSON.stringify(place));
  } catch {
    // Full or forbidden: then Back leads to the top.
  }
}

/** Go where one was, after Back or a reload. */
export async function goBack(pages, walk) {
  const [navigation] = performance.getEntriesByType("navigation");
  if (!["back_forward", "reload"].includes(navigation?.type)) return;
  const place = JSON.parse(sessionStorage.getItem(PLACE) ?? "null");
  if (place?.address !== location.search) return;
  history.scrollRestoration = "manual";
  pages.restore(place.pages);
  const page = pages.all.find((one) => one.dataset.after === place.page);
  if (!page) return;
  await pages.load(page);
  const group = document.getElementById(`g-${place.group}`) ?? page.firstElementChild;
  if (!group) return;
  scrollBy(0, group.getBoundingClientRect().top - place.top);
  const photo = document.querySelector(`.photo[data-photo="${place.photo}"]`);
  if (photo) walk.at(photo);
}
