/** Prefix of the segments of all large objects of a container. The name of the object follows. */
export const SEGMENTS = ".backuptool-segments/";

export function segmentPrefix(name: string, upload: string): string {
  return `${SEGMENTS}${name}/${upload}/`;
}

export function segmentName(name: string, upload: string, number: number): string {
  return segmentPrefix(name, upload) + String(number).padStart(8, "0");
}
