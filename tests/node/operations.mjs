// Every operation once: assistants, threads, messages, runs, steps, files; and pages that follow each other.
import { toFile } from 'openai';
import { asks, client, collect, given, lookUp, refusal, tell } from './harness.mjs';

const { assistants, threads } = client.beta;
const told = {};

const made = [];
for (const name of ['first', 'second', 'third']) {
  made.push(await assistants.create({ model: 'demo', name, instructions: 'Be brief.', tools: [lookUp], metadata: { name } }));
}
told.assistants = made;
told.retrieved = await assistants.retrieve(made[0].id);
told.updated = await assistants.update(made[0].id, { name: 'changed' });
told.listed = (await collect(assistants.list({ limit: 2, order: 'desc' }))).slice(0, 3).map((each) => each.id);

const thread = await threads.create({ ...asks('one'), metadata: { a: 'b' } });
told.thread = thread;
told.threadRetrieved = await threads.retrieve(thread.id);
told.threadUpdated = await threads.update(thread.id, { metadata: { c: 'd' } });
for (const content of ['two', [{ type: 'text', text: 'three' }]]) {
  await threads.messages.create(thread.id, { role: 'user', content });
}
told.messages = await collect(threads.messages.list(thread.id, { limit: 1, order: 'asc' }));
told.page = await threads.messages.list(thread.id, { limit: 2 });
told.nextPage = (await told.page.getNextPage()).data.map((each) => each.id);
const [, second] = told.messages;
told.message = await threads.messages.retrieve(second.id, { thread_id: thread.id });
told.messageUpdated = await threads.messages.update(second.id, { thread_id: thread.id, metadata: { e: 'f' } });
told.messageDeleted = await threads.messages.delete(second.id, { thread_id: thread.id });

await threads.messages.create(thread.id, { role: 'user', content: given.question });
const run = await threads.runs.create(thread.id, { assistant_id: made[0].id });
told.run = run;
const waiting = await threads.runs.poll(run.id, { thread_id: thread.id });
told.waiting = waiting;
const [call] = waiting.required_action.submit_tool_outputs.tool_calls;
told.submitted = await threads.runs.submitToolOutputs(run.id, {
  thread_id: thread.id,
  tool_outputs: [{ tool_call_id: call.id, output: 'found' }],
});
await threads.runs.poll(run.id, { thread_id: thread.id });
told.runUpdated = await threads.runs.update(run.id, { thread_id: thread.id, metadata: { g: 'h' } });
told.done = await threads.runs.retrieve(run.id, { thread_id: thread.id });
told.runs = (await collect(threads.runs.list(thread.id))).map((each) => each.id);
told.steps = await collect(threads.runs.steps.list(run.id, { thread_id: thread.id, order: 'asc', limit: 1 }));
told.step = await threads.runs.steps.retrieve(told.steps[0].id, { thread_id: thread.id, run_id: run.id });
told.answer = (await collect(threads.messages.list(thread.id, { run_id: run.id })))[0];
told.lateCancel = await refusal(() => threads.runs.cancel(run.id, { thread_id: thread.id }));

const other = await threads.createAndRun({ assistant_id: made[0].id, tools: [lookUp], thread: asks(given.waits) });
const parked = await threads.runs.poll(other.id, { thread_id: other.thread_id });
told.parked = parked.status;
told.cancelled = await threads.runs.cancel(other.id, { thread_id: other.thread_id });

const content = 'Grüße aus einer Datei';
const file = await client.files.create({ file: await toFile(Buffer.from(content), 'grüße.txt'), purpose: 'assistants' });
told.file = file;
told.fileRetrieved = await client.files.retrieve(file.id);
told.files = (await collect(client.files.list({ purpose: 'assistants', limit: 1, order: 'desc' }))).map((each) => each.id);
told.content = await (await client.files.content(file.id)).text();
told.fileDeleted = await client.files.delete(file.id);

told.models = (await collect(client.models.list())).map((each) => each.id);
told.threadDeleted = await threads.delete(thread.id);
told.assistantsDeleted = [];
for (const each of made) told.assistantsDeleted.push(await assistants.delete(each.id));
told.gone = await refusal(() => threads.retrieve(thread.id));
told.wrong = await refusal(() => assistants.create({ model: 'demo', temperature: 7 }));
tell(told);
