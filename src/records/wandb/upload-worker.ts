/** A thread that uploads a run. Started by `UploadThread` alone. */
import { parentPort, workerData } from "node:worker_threads";
import { RunUploader, type UploadPlan } from "./run-uploader.js";
import type { UploadReply, UploadRequest } from "./upload-thread.js";

const port = parentPort;
if (port !== null) {
  const tell = (reply: UploadReply): void => port.postMessage(reply);
  const uploader = new RunUploader(workerData as UploadPlan, tell);
  port.on("message", (request: UploadRequest) => {
    if (request.kind === "row") {
      uploader.add(request.row);
      return;
    }
    void uploader
      .close(request.exitCode, request.limitMs)
      .then((hasEverything) => tell({ kind: "closed", hasEverything }));
  });
}
