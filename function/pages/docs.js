// Swagger UI and ReDoc over the service's own document, with its key where it wants one.
import { byId } from "./dom.js";
import { address, hasKey, keyHeader, openAccess, patiently, say, useKey } from "./service.js";

async function load() {
  let described;
  try {
    described = await (await patiently(() => true, "openapi.json")).json();
  } catch (error) {
    if (error.status !== 401 && error.status !== 403) say(error.message);
    return;
  }
  openAccess(false);
  described.servers = [{ url: address("").replace(/\/$/, "") }]; // behind a prefix it is not "/"
  if (document.body.dataset.kind === "redoc") window.Redoc.init(described, { disableSearch: true, hideDownloadButtons: true }, byId("docs"));
  else tryOut(described);
}

function tryOut(described) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches); // Swagger UI's own
  dark.addEventListener("change", follow);
  follow();
  const ui = window.SwaggerUIBundle({
    spec: described,
    dom_id: "#docs",
    deepLinking: true,
    validatorUrl: null,
    onComplete: () => {
      if (!hasKey()) return;
      const key = keyHeader()[1].replace(/^Bearer /, "");
      const schemes = Object.keys(described.components.securitySchemes ?? {});
      if (schemes.length) ui.preauthorizeApiKey(schemes[0], key);
    },
  });
}

function keyGiven() {
  useKey(byId("key").value);
  byId("key").value = "";
  load();
}

byId("use-key").addEventListener("click", keyGiven);
byId("key").addEventListener("keydown", (event) => { if (event.key === "Enter") keyGiven(); });
byId("show-key").addEventListener("click", () => openAccess(byId("access").hidden));
load();
