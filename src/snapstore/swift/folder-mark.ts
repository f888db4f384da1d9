/** Whether an object only marks a folder, which has its name: older tools for Swift make such ones. */
export function isFolderMark(type: string | undefined, bytes: number | undefined): boolean {
  return type?.split(";", 1)[0] === "application/directory" && bytes === 0;
}
