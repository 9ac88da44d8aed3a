import {
  Done,
  Enlist,
  Inventory,
  Progress,
  type Report,
  Reports,
  ScriptOutcome,
  SessionRequest,
} from '@ingot/contract/agent.ts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { RegionDeps } from '../deps.ts';
import { type Forwarded, forwardedFrom } from '../racklink/forwarded.ts';
import { parseWireJson } from '../racklink/json-text.ts';
import { databaseTrouble } from '../store/pg-error.ts';
import { type AgentRefusal, badRequest, NOT_FORWARDED, refusedFor, SESSION_UNKNOWN } from './agent-refusal.ts';
import { takeDone } from './done.ts';
import { takeEnlistment } from './enlist.ts';
import { type AgentMachine, machineForAgent } from './machine-rows.ts';
import { noteBegun } from './note-begun.ts';
import { noteEnlistProgress, takeOutcome, takeProgress } from './report.ts';
import { type AgentSession, findSession, spendTicket } from './session-rows.ts';
import { takeInventory } from './take-inventory.ts';
import { tradeTicket } from './trade.ts';
import { waitForTask } from './wait-for-task.ts';

/** Three streams of 1 MiB and a result in base64, as the rack's own limit. */
const BODY_BYTES = 8 * 1024 * 1024;

function refuse(reply: FastifyReply, { status, ...body }: AgentRefusal): FastifyReply {
  return reply.code(status).send(body);
}

interface Agent {
  from: Forwarded;
  session: AgentSession;
  /** Null: a machine that is to enlist. */
  machine: AgentMachine | null;
}

/** Who asks: the request came through the rack of its session, with a token of an open one. */
async function agentOf(deps: RegionDeps, request: FastifyRequest): Promise<Agent | AgentRefusal> {
  const from = await forwardedFrom(deps, request);
  if (!from) return NOT_FORWARDED;
  const token = /^Bearer ([A-Za-z0-9_-]{20,100})$/.exec(request.headers.authorization ?? '')?.[1];
  const session = token === undefined ? null : await findSession(deps.db, token);
  if (!session || session.rackId !== from.rackId) return SESSION_UNKNOWN;
  if (!session.used) await spendTicket(deps.db, session);
  const machine = session.systemId === null ? null : await machineForAgent(deps.db, session.systemId);
  // Deleted while it worked.
  if (session.systemId !== null && !machine) return SESSION_UNKNOWN;
  return { from, session, machine };
}

function isRefusal<Value extends object>(value: Value | AgentRefusal): value is AgentRefusal {
  return 'code' in value;
}

interface Working extends Agent {
  machine: AgentMachine;
  attemptId: number;
}

/** Reports count only while the session's attempt is the machine's open one; late ones are told so. */
function working(agent: Agent): Working | AgentRefusal {
  const { machine, session } = agent;
  if (!machine || session.attemptId === null) return badRequest('This session is for enlisting only.');
  if (session.over || machine.attemptId !== session.attemptId) {
    return refusedFor('agent.attempt_over');
  }
  return { ...agent, machine, attemptId: session.attemptId };
}

/**
 * The agent's endpoints (contract/agent.ts), for requests that a rack forwarded and signed. Every one of them may be
 * repeated: the region may die before its answer arrives.
 */
export function registerAgentApi(app: FastifyInstance, deps: RegionDeps): void {
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(
      'application/json',
      { parseAs: 'string', bodyLimit: BODY_BYTES },
      (_request, body, done) => {
        done(null, parseWireJson(body.toString()));
      },
    );

    scope.setErrorHandler((error: { statusCode?: number }, request, reply) => {
      const status = error.statusCode ?? 500;
      if (status === 413) return refuse(reply, refusedFor('input.too_large'));
      const trouble = databaseTrouble(error);
      // Agents ask again after any 5xx.
      if (trouble !== null) return refuse(reply, refusedFor(trouble.code, { why: trouble.why }));
      if (status < 500) return refuse(reply, { ...badRequest('The body is no JSON of this interface.'), status });
      deps.log.error({ err: error, method: request.method, url: request.url }, 'agent API: unforeseen error');
      return refuse(reply, refusedFor('internal', { request: `${request.method} ${request.url}`, id: request.id }));
    });

    scope.post('/agent/v1/session', { bodyLimit: 16_384 }, async (request, reply) => {
      const from = await forwardedFrom(deps, request);
      if (!from) return refuse(reply, NOT_FORWARDED);
      const body = SessionRequest.safeParse(request.body);
      if (!body.success) return refuse(reply, badRequest(body.error.message));
      const traded = await tradeTicket(deps, body.data, from);
      return traded.ok ? reply.send(traded.reply) : refuse(reply, traded.refusal);
    });

    scope.get<{ Querystring: { wait?: string } }>('/agent/v1/task', async (request, reply) => {
      const agent = await agentOf(deps, request);
      if (isRefusal(agent)) return refuse(reply, agent);
      const wait = Number(request.query.wait ?? 0);
      const gone = () => request.raw.socket.destroyed;
      const task = await waitForTask(deps, agent.session, agent.from.rackUrl, Number.isFinite(wait) ? wait : 0, gone);
      return task ? reply.send(task) : reply.code(204).send();
    });

    async function takeReport(agent: Agent, report: Report): Promise<AgentRefusal | null> {
      const progress = 'progress' in report ? report.progress : null;
      if (progress !== null && agent.session.attemptId === null) {
        await noteEnlistProgress(deps, agent.session.mac, progress);
        return null;
      }
      const at = working(agent);
      if (isRefusal(at)) return at;
      if (progress?.kind !== 'heartbeat' && !(await noteBegun(deps, at))) return SESSION_UNKNOWN;
      const { machine, session, attemptId } = at;
      if (!('progress' in report)) return takeOutcome(deps, machine, attemptId, report.resultId, report.outcome);
      const refusal = await takeProgress(deps, machine, attemptId, report.progress);
      if (refusal) return refusal;
      const { kind, name, state } = report.progress;
      // The rescue system has no end that it could report: that it is up is the end of entering it.
      if (kind === 'step' && name === 'rescue' && state === 'finished' && machine.status === 'ENTERING_RESCUE_MODE') {
        const done = { outcome: 'ok', code: null, message: null, bmc: null } as const;
        await takeDone(deps, session, machine, attemptId, done);
      }
      return null;
    }

    /** Reports of an agent, taken one after the other up to the first that is refused; answered with 204. */
    function reports<Body>(
      path: string,
      bodyLimit: number,
      schema: z.ZodType<Body>,
      listed: (body: Body, request: FastifyRequest) => Report[] | AgentRefusal,
    ): void {
      scope.post(path, { bodyLimit }, async (request, reply) => {
        const agent = await agentOf(deps, request);
        if (isRefusal(agent)) return refuse(reply, agent);
        const body = schema.safeParse(request.body);
        if (!body.success) return refuse(reply, badRequest(body.error.message.slice(0, 2000)));
        const found = listed(body.data, request);
        if (!Array.isArray(found)) return refuse(reply, found);
        for (const one of found) {
          const refusal = await takeReport(agent, one);
          if (refusal) return refuse(reply, refusal);
        }
        return reply.code(204).send();
      });
    }
    reports('/agent/v1/progress', 65_536, Progress, (progress) => [{ progress }]);
    reports('/agent/v1/results/:resultId', BODY_BYTES, ScriptOutcome, (outcome, request) => {
      const { resultId } = request.params as { resultId: string };
      if (!/^\d{1,9}$/.test(resultId)) return badRequest('The result id is no number.');
      return [{ resultId: Number(resultId), outcome }];
    });
    reports('/agent/v1/reports', BODY_BYTES, Reports, (body) => body.reports);

    scope.post('/agent/v1/inventory', { bodyLimit: BODY_BYTES }, async (request, reply) => {
      const agent = await agentOf(deps, request);
      if (isRefusal(agent)) return refuse(reply, agent);
      const at = working(agent);
      if (isRefusal(at)) return refuse(reply, at);
      const body = Inventory.safeParse(request.body);
      if (!body.success) return refuse(reply, badRequest(body.error.message.slice(0, 2000)));
      if (!(await noteBegun(deps, at))) return refuse(reply, SESSION_UNKNOWN);
      const { machine, attemptId, from, session } = at;
      if (machine.status !== 'COMMISSIONING') {
        return refuse(reply, badRequest('Only commissioning takes an inventory.'));
      }
      await takeInventory(deps, machine, attemptId, body.data, { address: from.client, mac: session.mac });
      return reply.code(204).send();
    });

    scope.post('/agent/v1/done', { bodyLimit: 65_536 }, async (request, reply) => {
      const agent = await agentOf(deps, request);
      if (isRefusal(agent)) return refuse(reply, agent);
      const { machine, session } = agent;
      if (!machine || session.attemptId === null)
        return refuse(reply, badRequest('An enlistment ends with its report.'));
      const body = Done.safeParse(request.body);
      if (!body.success) return refuse(reply, badRequest(body.error.message));
      const open = machine.attemptId === session.attemptId;
      if (open && !(await noteBegun(deps, { machine, session }))) return refuse(reply, SESSION_UNKNOWN);
      return reply.send(await takeDone(deps, session, machine, session.attemptId, body.data));
    });

    scope.post('/agent/v1/enlist', { bodyLimit: BODY_BYTES }, async (request, reply) => {
      const agent = await agentOf(deps, request);
      if (isRefusal(agent)) return refuse(reply, agent);
      if (agent.session.attemptId !== null) return refuse(reply, badRequest('This session is not for enlisting.'));
      const body = Enlist.safeParse(request.body);
      if (!body.success) return refuse(reply, badRequest(body.error.message.slice(0, 2000)));
      const enlisted = await takeEnlistment(deps, agent.session, body.data, agent.from);
      if (enlisted.ok) return reply.send(enlisted.reply);
      const { client: address, mac, rackId: rack } = agent.from;
      const { code, message } = enlisted.refusal;
      deps.log.warn({ code, message, address, mac, rack }, 'an enlistment was refused');
      return refuse(reply, enlisted.refusal);
    });
  });
}
