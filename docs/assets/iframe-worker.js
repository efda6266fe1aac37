/* A browser refuses workers to pages opened from a file, and the site's search is one. Where the page is a file, run the
   worker's script in a hidden frame instead: it calls addEventListener and postMessage as it would in a worker. */
if (location.protocol === "file:") {
  window.Worker = class FrameWorker extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      frame.title = "search"
      this.waiting = []
      const attach = () => {
        document.body.appendChild(frame)
        const inside = frame.contentWindow
        inside.importScripts = (...urls) => {
          const write = (each) => `<script src="${new URL(each, url)}"><\/script>`
          inside.document.write(urls.map(write).join(""))
        }
        inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }))
        const script = inside.document.createElement("script")
        script.src = url
        script.onerror = () => this.dispatchEvent(new Event("error"))
        script.onload = () => {
          this.frame = inside
          this.waiting.splice(0).forEach((data) => this.postMessage(data))
        }
        inside.document.body.appendChild(script)
      }
      document.body ? attach() : document.addEventListener("DOMContentLoaded", attach)
    }

    postMessage(data) {
      if (!this.frame) this.waiting.push(data)
      else this.frame.dispatchEvent(new this.frame.MessageEvent("message", { data }))
    }

    terminate() {
      this.frame?.frameElement.remove()
    }
  }
}
