// Cards: press a poster to play it in place, a moment to jump there, a button to tell the server.
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-action]");
  if (!button || !element.contains(button)) return;
  const { action, id } = button.dataset;
  if (action === "play") play(button, 0);
  else if (action === "moment") {
    const screen = button.closest(".card").querySelector(".screen");
    play(screen.querySelector(".poster") || screen.querySelector("video"), Number(button.dataset.start));
  } else {
    trigger("select", { action: action, id: id });
    if (action === "like" || action.startsWith("as-")) window.scrollTo({ top: 0, behavior: "smooth" });
  }
});

element.addEventListener("error", ({ target }) => { // a player's, which does not bubble
  if (target.tagName !== "VIDEO") return;
  const note = document.createElement("p");
  note.className = "notice error";
  note.setAttribute("role", "alert");
  note.textContent = "This video cannot be played: its file is missing or damaged.";
  target.replaceWith(note);
}, true);

function play(target, seconds) {
  if (target.tagName === "VIDEO") {
    target.currentTime = seconds;
    target.play();
    return;
  }
  const video = document.createElement("video");
  Object.assign(video, { controls: true, autoplay: true, loop: true, muted: true, playsInline: true });
  video.src = "media/video/" + target.dataset.media + ".mp4";
  video.poster = target.querySelector("img").src;
  video.dataset.media = target.dataset.media;
  video.setAttribute("aria-label", target.getAttribute("aria-label").replace(/^Play /, ""));
  video.addEventListener("loadedmetadata", () => { video.currentTime = seconds; }, { once: true });
  target.replaceWith(video);
  video.focus();
}
