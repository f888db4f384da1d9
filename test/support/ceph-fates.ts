/** How a promise ends, and how long that takes. */
export async function fateOf(
  promise: Promise<unknown>,
): Promise<{ error: unknown; seconds: number }> {
  const start = performance.now();
  let error: unknown;
  await promise.catch((reason: unknown) => {
    error = reason;
  });
  return { error, seconds: (performance.now() - start) / 1000 };
}
