import { type Connection, chooseConnection } from './client/connection.ts';
import { type Client, clientOf } from './client/request.ts';
import type { CliContext, GlobalOptions } from './context.ts';
import { type Palette, palette } from './format/colour.ts';

/** What a command that talks to the region works with. */
export interface Session {
  context: CliContext;
  connection: Connection;
  client: Client;
  colours: Palette;
  json: boolean;
  /** Data to standard output: an object as JSON, or the text that people read. */
  print(value: unknown, text: () => string): void;
}

export async function openSession(context: CliContext, options: GlobalOptions): Promise<Session> {
  const connection = await chooseConnection(context, options);
  const json = options.output === 'json';
  return {
    context,
    connection,
    client: clientOf(connection),
    colours: palette(context.colour && !json),
    json,
    print(value, text) {
      context.stdout.write(json ? `${JSON.stringify(value, null, 2)}\n` : text());
    },
  };
}
