// The part of pngjs that figures use; the package brings no types.
declare module "pngjs" {
  interface Image {
    width: number;
    height: number;
    /** Four bytes a pixel: red, green, blue, alpha. */
    data: Buffer;
  }
  export const PNG: {
    sync: {
      read(file: Uint8Array): Image;
      /** `colorType` 2 writes red, green and blue without alpha. */
      write(image: Image, options?: { colorType?: 2 | 6 }): Buffer;
    };
  };
}
