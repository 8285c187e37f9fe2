// The page's own script: "Copy" buttons, and no more.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const address = button.parentElement.querySelector("a.permalink").href;
  try {
    await navigator.clipboard.writeText(address);
    button.textContent = "Copied";
  } catch {
    window.prompt("Copy this link", address); // pages without https have no clipboard
  }
});
