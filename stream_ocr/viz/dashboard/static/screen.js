// The video with its boxes, in step frame by frame.

import { Boxes } from "./boxes.js";
import { clock } from "./format.js";
import { placeAt } from "./model.js";

export class Screen {
  constructor(root, model, { onTime, choose }) {
    this.root = root;
    this.model = model;
    this.onTime = onTime;
    this.video = root.querySelector("video");
    this.boxes = new Boxes(root.querySelector("svg"), { choose });
    this.time = 0;
    this.stream = null;
    this.wanted = null;
    for (const name of ["durationchange", "seeked", "progress"]) this.video.addEventListener(name, () => this.#further());
    this.video.addEventListener("loadedmetadata", () => {
      root.style.aspectRatio = `${this.video.videoWidth} / ${this.video.videoHeight}`;
    });
    this.video.addEventListener("error", () => (root.querySelector("#unplayable").hidden = false));
    for (const name of ["seeked", "timeupdate"]) this.video.addEventListener(name, () => this.#at(this.video.currentTime));
    if (this.video.requestVideoFrameCallback) this.#each();
    this.#control((id) => document.getElementById(id));
  }

  open(stream) {
    this.stream = stream;
    this.root.hidden = false;
    this.video.src = "video";
  }

  /** Shows the frame at a media time. */
  seek(seconds) {
    this.wanted = seconds + 0.001; // so that rounding does not show the frame before
    this.video.currentTime = this.wanted;
  }

  /** Browsers find out how long a video is that does not begin at 0 only as they read it, and stop short till then. */
  #further() {
    if (this.wanted === null || !this.video.paused) return;
    if (this.wanted - this.video.currentTime > 0.02) {
      if (this.video.duration > this.video.currentTime + 0.001) this.video.currentTime = this.wanted;
    } else this.wanted = null;
  }

  toggle() {
    if (this.video.paused) this.video.play();
    else this.video.pause();
  }

  /** The buttons under the video. */
  #control(byId) {
    const { video } = this;
    const [play, sound, full] = ["play", "sound", "full"].map(byId);
    byId("transport").hidden = false;
    play.onclick = () => this.toggle();
    video.addEventListener("click", () => this.toggle());
    for (const name of ["play", "pause"]) {
      video.addEventListener(name, () => {
        play.ariaPressed = String(!video.paused);
        play.ariaLabel = video.paused ? "Play" : "Stop";
      });
    }
    video.addEventListener("durationchange", () => (byId("length").textContent = `/ ${clock(video.duration)}`));
    video.addEventListener("playing", () => (sound.hidden = !(video.webkitAudioDecodedByteCount || video.mozHasAudio)));
    sound.onclick = () => {
      video.muted = !video.muted;
      sound.ariaPressed = String(!video.muted);
    };
    full.hidden = !document.fullscreenEnabled;
    full.onclick = () => this.root.requestFullscreen();
  }

  draw() {
    const name = this.stream ?? this.model.streams.keys().next().value;
    const stream = this.model.streams.get(name);
    if (!stream?.size) return this.boxes.clear();
    const place = (span) => placeAt(span, this.time);
    this.boxes.show(this.model.at(name, this.time), place, stream.size, (span) => this.time - span.start);
  }

  #each() {
    this.video.requestVideoFrameCallback((_now, frame) => {
      this.exact = true;
      this.#set(frame.mediaTime);
      this.#each();
    });
  }

  #at(seconds) {
    if (!this.exact || Math.abs(seconds - this.time) > 0.5) this.#set(seconds);
  }

  #set(seconds) {
    this.time = seconds;
    document.getElementById("now").textContent = clock(seconds);
    this.draw();
    this.onTime(seconds);
  }
}
