// What every program here begins with: what the test gave it (JSON, the first argument), a client, and the way to tell
// the test what happened (JSON on stdout). A program judges nothing; the test that runs it does.
import OpenAI from 'openai';

export const given = JSON.parse(process.argv[2]);

export const client = new OpenAI({ baseURL: given.url, apiKey: given.key, maxRetries: 0, timeout: 60_000 });

export const lookUp = {
  type: 'function',
  function: {
    name: 'look_up',
    description: 'Looks something up.',
    parameters: { type: 'object', properties: { what: { type: 'string' } }, required: ['what'] },
  },
};

export const asks = (question) => ({ messages: [{ role: 'user', content: question }] });

export const textsOf = (message) => message.content.map((part) => part.text.value);

export function tell(facts) {
  process.stdout.write(JSON.stringify(facts));
}

export async function collect(pages) {
  const items = [];
  for await (const item of pages) items.push(item);
  return items;
}

// What an error of the SDK says of itself.
export async function refusal(call) {
  try {
    await call();
  } catch (error) {
    return { kind: error.constructor.name, status: error.status, code: error.code, param: error.param, message: error.message };
  }
  return null;
}

// Opens a gate at which the model's reply waits.
export async function release(gate) {
  const reply = await fetch(`${given.model}/control/release/${gate}`, { method: 'POST' });
  if (!reply.ok) throw new Error(await reply.text());
}

// Notes what each listener of a stream helper is called with, as it is at that moment.
export function listen(stream) {
  const notes = { events: [], calls: [], texts: [], argumentsOf: {} };
  const note = (name, facts) => notes.calls.push({ name, ...facts });
  stream
    .on('event', (event) => notes.events.push(event.event))
    .on('connect', () => note('connect'))
    .on('runStepCreated', (step) => note('runStepCreated', { id: step.id, type: step.type }))
    .on('runStepDelta', (_delta, snapshot) => note('runStepDelta', { id: snapshot.id }))
    .on('runStepDone', (step) => note('runStepDone', { id: step.id, status: step.status }))
    .on('toolCallCreated', (call) => note('toolCallCreated', { id: call.id, function: call.function.name }))
    .on('toolCallDelta', (delta, snapshot) => {
      note('toolCallDelta', { id: snapshot.id });
      notes.argumentsOf[snapshot.id] = (notes.argumentsOf[snapshot.id] ?? '') + delta.function.arguments;
    })
    .on('toolCallDone', (call) => note('toolCallDone', { id: call.id, arguments: call.function.arguments }))
    .on('messageCreated', (message) => note('messageCreated', { id: message.id }))
    .on('messageDelta', (_delta, snapshot) => note('messageDelta', { id: snapshot.id }))
    .on('messageDone', (message) => note('messageDone', { id: message.id, status: message.status, texts: textsOf(message) }))
    .on('textCreated', (text) => note('textCreated', { value: text.value }))
    .on('textDelta', (delta, snapshot) => {
      note('textDelta', { snapshot: snapshot.value });
      notes.texts.push(delta.value);
    })
    .on('textDone', (text) => note('textDone', { value: text.value }))
    .on('run', (run) => note('run', { id: run.id, status: run.status }))
    .on('end', () => note('end'));
  return notes;
}
