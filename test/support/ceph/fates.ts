/** How a promise ends. */
export async function fateOf(promise: Promise<unknown>): Promise<{ error: unknown }> {
  let error: unknown;
  await promise.catch((reason: unknown) => {
    error = reason;
  });
  return { error };
}
