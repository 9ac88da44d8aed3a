/** What the bench tells the install program. */
export interface InstallOrder {
  format: 'tar.zst' | 'raw.zst';
  url: string;
  sha256: string;
  /** Bytes of the compressed file. */
  size: number;
  /** A folder for tar.zst, a block device for raw.zst. */
  target: string;
  sumFile: string;
}
