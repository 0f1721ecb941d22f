// A run whose calls a service answers: its client hears of them, and has nothing to do.
import { asks, client, given, listen, tell } from './harness.mjs';

const stream = client.beta.threads.createAndRunStream({ assistant_id: given.assistant, thread: asks(given.question) });
const notes = listen(stream);
const run = await stream.finalRun();
tell({ notes, run, messages: await stream.finalMessages(), steps: await stream.finalRunSteps() });
