import type { CallContext } from './drivers.js';
import { PluginApiError } from './errors.js';
import type { Parser } from './wire.js';

/** What a call is about, for the log. */
export interface Subject {
  readonly networkId?: string;
  readonly endpointId?: string;
  readonly poolId?: string;
}

/** A call whose arguments have been read and that only needs to run. */
export interface PreparedCall {
  readonly subject: Subject;
  readonly run: (context: CallContext) => Promise<object>;
}

/** Reads a request body; throws INVALID_REQUEST or EMPTY_BODY. */
export type Method = (body: string) => PreparedCall;

/** A method without arguments: dockerd sends no body, and whatever there is is not read. */
export function plain(reply: object): Method {
  return () => ({ subject: {}, run: async () => reply });
}

interface Ids {
  readonly NetworkID?: string;
  readonly EndpointID?: string;
  readonly PoolID?: string;
}

/** A method with arguments. Conversion to domain values happens inside `run`, before its first await. */
export function withArguments<T extends object>(
  parse: Parser<T>,
  run: (request: T, context: CallContext) => Promise<object>,
): Method {
  return (body) => {
    if (body.trim() === '') {
      // moby pkg/plugins/client.go callWithRetry sends the drained buffer again.
      throw new PluginApiError(
        { code: 'EMPTY_BODY' },
        'dockerd repeated this call without its arguments because its connection to weft broke; run the command again',
      );
    }
    const request = parse(body);
    return { subject: subjectOf(request), run: async (context) => run(request, context) };
  };
}

function subjectOf({ NetworkID, EndpointID, PoolID }: Ids): Subject {
  return {
    ...(NetworkID !== undefined && { networkId: NetworkID }),
    ...(EndpointID !== undefined && { endpointId: EndpointID }),
    ...(PoolID !== undefined && { poolId: PoolID }),
  };
}
