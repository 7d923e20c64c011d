//! A recording's bytes: the file's header, a segment's header, and the chain over both. The format
//! is described in docs/recording.md; numbers are little-endian. No file is touched here.

use aws_lc_rs::digest;

use super::config::LONGEST_GATE;

/// How every recording begins. The line break and the end-of-file byte show mangled transfers.
pub(super) const MAGIC: [u8; 8] = *b"PCREC\r\n\x1a";
/// The version that this code reads and writes.
pub(super) const VERSION: u16 = 1;
/// The fixed part of a file's header, in bytes; the gate's name follows.
pub(super) const FILE_HEADER: usize = 56;
/// A segment's header, in bytes.
pub(super) const SEGMENT_HEADER: usize = 64;
/// The part of a segment's header that the chain covers as it stands.
const SEGMENT_PREFIX: usize = 32;
/// How a segment begins.
const SEGMENT_MARK: [u8; 4] = *b"SEGM";
/// The longest event, in bytes of JSON. A longer one cannot be recorded.
pub(super) const MAX_LINE: usize = 64 << 20;
/// The most bytes that a segment may hold once decompressed: one longest event and its line break.
pub(super) const MAX_RAW: usize = MAX_LINE + 1;
/// The most bytes that a segment may occupy: zstd adds less than this to what it cannot compress.
pub(super) const MAX_STORED: usize = MAX_RAW + MAX_RAW / 128 + 1024;

/// A SHA-256.
pub(super) type Digest = [u8; 32];

/// The segment is the session's last one; nothing may follow it.
pub(super) const LAST: u32 = 1;
/// The segment was written by the recovery after a crash.
pub(super) const RECOVERED: u32 = 2;

/// What a file says of itself before its first segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileHeader {
    pub(super) session: u64,
    /// The gate's first public key.
    pub(super) root: [u8; 32],
    pub(super) gate: String,
}

impl FileHeader {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(FILE_HEADER + self.gate.len());
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&0_u16.to_le_bytes());
        out.extend_from_slice(&u32::try_from(self.gate.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(&self.session.to_le_bytes());
        out.extend_from_slice(&self.root);
        out.extend_from_slice(self.gate.as_bytes());
        out
    }

    /// Reads the fixed part, and says how long the name behind it is.
    pub(super) fn decode(mut bytes: &[u8]) -> Result<(Self, usize), &'static str> {
        let from = &mut bytes;
        let gate = preamble(from, MAGIC, "this is not a recording")?;
        let session = take(from).map(u64::from_le_bytes).ok_or(SHORT)?;
        let root = take(from).ok_or(SHORT)?;
        Ok((Self { session, root, gate: String::new() }, gate))
    }

    /// Where the chain begins.
    pub(super) fn chain(&self) -> Digest {
        sum(&[b"portcullis recording\0", &self.encode()])
    }
}

const SHORT: &str = "the header is cut short";

/// Reads what recordings and checkpoint logs have in common: magic, version, flags, and the length
/// of the gate's name.
pub(super) fn preamble(from: &mut &[u8], magic: [u8; 8], other: &'static str) -> Result<usize, &'static str> {
    if take(from).ok_or(SHORT)? != magic {
        return Err(other);
    }
    if take(from).map(u16::from_le_bytes).ok_or(SHORT)? != VERSION {
        return Err("the version is not one that this program knows");
    }
    if take(from).map(u16::from_le_bytes).ok_or(SHORT)? != 0 {
        return Err("the flags are not ones that this program knows");
    }
    let length = take(from).map(u32::from_le_bytes).ok_or(SHORT)?;
    match usize::try_from(length) {
        Ok(length) if (1..=LONGEST_GATE).contains(&length) => Ok(length),
        _ => Err("the length of the gate's name is out of range"),
    }
}

/// What a segment says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) flags: u32,
    /// The number of its first event.
    pub(super) first: u64,
    /// How many events it holds.
    pub(super) count: u32,
    /// Its length once decompressed.
    pub(super) raw: u32,
    /// Its length in the file, without this header.
    pub(super) stored: u32,
    /// The chain up to and including this segment.
    pub(super) chain: Digest,
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> [u8; SEGMENT_HEADER] {
        let mut out = [0; SEGMENT_HEADER];
        let (prefix, chain) = out.split_at_mut(SEGMENT_PREFIX);
        prefix.copy_from_slice(&self.prefix());
        chain.copy_from_slice(&self.chain);
        out
    }

    fn prefix(&self) -> [u8; SEGMENT_PREFIX] {
        let mut out = [0; SEGMENT_PREFIX];
        let fields: [&[u8]; 6] = [
            &SEGMENT_MARK,
            &self.flags.to_le_bytes(),
            &self.first.to_le_bytes(),
            &self.count.to_le_bytes(),
            &self.raw.to_le_bytes(),
            &self.stored.to_le_bytes(),
        ];
        // The last four bytes are reserved, and zero.
        for (to, from) in out.iter_mut().zip(fields.into_iter().flatten()) {
            *to = *from;
        }
        out
    }

    pub(super) fn decode(bytes: &[u8; SEGMENT_HEADER]) -> Result<Self, &'static str> {
        let from = &mut bytes.as_slice();
        let short = "a segment's header is cut short";
        if take(from).ok_or(short)? != SEGMENT_MARK {
            return Err("no segment begins here");
        }
        let mut word = || take(from).map(u32::from_le_bytes).ok_or(short);
        let flags = word()?;
        let (low, high) = (word()?, word()?);
        let (count, raw, stored, reserved) = (word()?, word()?, word()?, word()?);
        let chain = take(from).ok_or(short)?;
        if flags & !(LAST | RECOVERED) != 0 || reserved != 0 {
            return Err("a segment has flags that this program does not know");
        }
        if raw as usize > MAX_RAW || stored as usize > MAX_STORED {
            return Err("a segment is longer than any can be");
        }
        let first = u64::from(high) << 32 | u64::from(low);
        Ok(Self { flags, first, count, raw, stored, chain })
    }

    /// The chain after this segment, given the chain before it and the stored bytes.
    pub(super) fn link(&self, before: &Digest, stored: &[u8]) -> Digest {
        sum(&[before, &self.prefix(), stored])
    }

    /// The number that the event after this segment has.
    pub(super) const fn next(&self) -> u64 {
        self.first.saturating_add(self.count as u64)
    }
}

/// SHA-256 over the parts, one after another.
pub(super) fn sum(parts: &[&[u8]]) -> Digest {
    let mut context = digest::Context::new(&digest::SHA256);
    parts.iter().for_each(|part| context.update(part));
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// Takes the first `N` bytes off.
pub(super) fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = from.split_first_chunk::<N>()?;
    *from = rest;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_they_were_written() {
        let file = FileHeader { session: 7, root: [9; 32], gate: String::from("gate") };
        let (read, gate) = FileHeader::decode(&file.encode()).unwrap();
        assert_eq!((read.session, read.root, gate), (7, [9; 32], 4));
        let segment = SegmentHeader { flags: LAST, first: 1 << 40, count: 3, raw: 400, stored: 100, chain: [5; 32] };
        assert_eq!(SegmentHeader::decode(&segment.encode()), Ok(segment));
    }

    #[test]
    fn headers_out_of_bounds_are_refused() {
        let good = SegmentHeader { flags: 0, first: 1, count: 1, raw: 1, stored: 1, chain: [0; 32] };
        for bad in [
            SegmentHeader { flags: 4, ..good },
            SegmentHeader { raw: u32::MAX, ..good },
            SegmentHeader { stored: u32::MAX, ..good },
        ] {
            assert!(SegmentHeader::decode(&bad.encode()).is_err());
        }
    }
}
