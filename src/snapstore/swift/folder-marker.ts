/** Whether an object is the marker of a folder, which older tools for Swift create under its name. */
export function isFolderMark(type: string | undefined, bytes: number | undefined): boolean {
  return type?.split(";", 1)[0] === "application/directory" && bytes === 0;
}
