// What the browser itself does: light and dark, choosing a shot, and the camera.

// The choice between light and dark is kept by the browser. The framework makes one of its own when it starts, so the
// class is watched.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const wanted = () => (localStorage.getItem("vidcolor-dark") ?? (system.matches ? "1" : "0")) === "1";
  const settle = () => {
    document.documentElement.style.colorScheme = wanted() ? "dark" : "light";
    if (document.body.classList.contains("dark") !== wanted()) document.body.classList.toggle("dark", wanted());
  };
  const begin = () => {
    settle();
    system.addEventListener("change", settle);
    new MutationObserver(settle).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  };
  if (document.body) begin(); else document.addEventListener("DOMContentLoaded", begin);
  window.vcToggle = () => { localStorage.setItem("vidcolor-dark", wanted() ? "0" : "1"); settle(); };
  window.vcShot = (n) => { if (window.vcOpenShot(n)) return;
    const found = document.querySelectorAll("#vc-shot-choice input"); if (found[n]) {
    if (found[n].checked) document.querySelector("#vc-preview")?.click(); else found[n].click(); } };
})();

// The camera: pictures go out one at a time, so that none waits; those that come meanwhile are dropped and counted.
(() => {
  let stream = null, timer = 0;
  const say = (id, text) => { const found = document.getElementById(id); if (found) found.textContent = text; };
  window.vcCameraStop = () => { if (stream) stream.getTracks().forEach((track) => track.stop());
    stream = null; cancelAnimationFrame(timer); say("vc-camera-state", "The camera is off."); };
  window.vcCamera = async () => {
    if (stream) { window.vcCameraStop(); return; }
    const video = document.createElement("video");
    try { stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 }, audio: false }); }
    catch (error) { say("vc-camera-state", "There is no camera, or this page may not use it."); return; }
    video.srcObject = stream; video.muted = true; await video.play();
    const side = document.createElement("canvas"), place = document.getElementById("vc-camera-picture");
    let busy = false, shown = 0, dropped = 0, seen = -1, begun = performance.now();
    const page = window.vcPage ||= "camera" + crypto.randomUUID().replaceAll("-", "");
    const strength = () => Number(document.querySelector("#vc-live-strength input")?.value ?? 1);
    const send = async () => {
      busy = true;
      const unit = Math.min(1, 640 / video.videoWidth);
      side.width = Math.round(video.videoWidth * unit); side.height = Math.round(video.videoHeight * unit);
      side.getContext("2d").drawImage(video, 0, 0, side.width, side.height);
      try {
        const answer = await fetch("gradio_api/run/live_frame", { method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ data: [side.toDataURL("image/jpeg", 0.85), strength()], session_hash: page }) });
        const told = await answer.json();
        if (!answer.ok) throw new Error(told.error || told.detail || "The page is busy.");
        if (!stream) return;
        place.innerHTML = ""; const image = new Image(); image.src = told.data[0].picture;
        image.alt = "Your camera in colour"; place.append(image);
        shown += 1;
        const rate = (shown / ((performance.now() - begun) / 1000)).toFixed(1);
        say("vc-camera-state", `${rate} pictures a second \u00b7 ${shown} coloured \u00b7 ${dropped} dropped`);
      } catch (error) { say("vc-camera-state", error.message); await new Promise((done) => setTimeout(done, 1500)); }
      busy = false;
    };
    const tick = () => { if (!stream) return;
      if (video.currentTime !== seen) { seen = video.currentTime; if (busy) dropped += 1; else send(); }
      timer = requestAnimationFrame(tick); };
    tick();
  };
})();
