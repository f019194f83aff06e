"""Door 2, what the container starts: an event loop that calls Python for whole requests only.

Why a loop of our own, on httptools (llhttp, Node's parser): a cold start pays for every import and
a thread that waits for a client's body is a thread that an idle client can take. granian's WSGI has
such threads, its RSGI an asyncio loop that costs more than the prediction, and either imports for
longer than everything else together; docs/server.md has the figures.

    listener -> connection -> requests -> application            (small: answered in the loop)
                                       -> workers -> application (large, or a model to wait for)

How it works
- One thread runs the loop and owns every connection; nothing here takes a lock. Workers get whole
  requests through one queue and hand responses back through another; a byte wakes the loop.
- A connection is read while there is room for what it sends, and has at most one request at work:
  answers leave in order, and a client that does not read its answers is not read from.
- Whoever stalls is told 408 and let go, half-sent or dripped heads and bodies alike; whoever idles
  is closed when another wants the place. So no client, and no number of them, holds a thread, the
  loop, or memory without bound.
- Calls that may take long run in MAX_CONCURRENCY threads, MAX_QUEUE wait, the rest is told 503 at
  once. One that outlives REQUEST_TIMEOUT_SECONDS is answered 503 and goes on holding its place,
  since Python cannot end it.

How it leaves (on SIGTERM, SIGINT, SIGQUIT or SIGHUP; SIGUSR1 and SIGUSR2 are ignored)
1. The listener turns deaf: no new connection is let in, those in the kernel's queue are.
2. For half a second every answer says ``Connection: close``, so clients leave by themselves: to
   close an idle connection at once would meet requests on their way.
3. Idle connections are closed, requests under way answered, at most for DRAIN_SECONDS.
4. The log is flushed, for a second at most, and the process ends whatever its threads do.

What must not be here: anything of the model, of routes, or of a request's meaning.
"""
