/** Waits for a promise; returns the error that it was rejected with, if it was. */
export async function fateOf(promise: Promise<unknown>): Promise<{ error: unknown }> {
  let error: unknown;
  await promise.catch((reason: unknown) => {
    error = reason;
  });
  return { error };
}
