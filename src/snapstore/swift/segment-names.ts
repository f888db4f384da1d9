/** Below it lie the segments of all large objects of a container, by the names of these. */
export const SEGMENTS = ".backuptool-segments/";

export function segmentPrefix(name: string, upload: string): string {
  return `${SEGMENTS}${name}/${upload}/`;
}

export function segmentName(name: string, upload: string, number: number): string {
  return segmentPrefix(name, upload) + String(number).padStart(8, "0");
}
