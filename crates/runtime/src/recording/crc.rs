//! CRC-32C (Castagnoli; RFC 3720, appendix B.4), eight bytes at a step. It finds accidents, not
//! attacks: those are the business of the chain and the signatures.

/// The reflected polynomial.
const POLYNOMIAL: u32 = 0x82F6_3B78;

/// `TABLES[k][b]`: what byte `b` does to the sum when `k` more bytes follow it in the same step.
static TABLES: [[u32; 256]; 8] = tables();

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "every index is below the array's length"
)]
const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ POLYNOMIAL } else { sum >> 1 };
            bit += 1;
        }
        tables[0][byte] = sum;
        byte += 1;
    }
    let mut byte = 0;
    while byte < 256 {
        let mut behind = 1;
        while behind < 8 {
            let before = tables[behind - 1][byte];
            tables[behind][byte] = (before >> 8) ^ tables[0][(before & 0xff) as usize];
            behind += 1;
        }
        byte += 1;
    }
    tables
}

/// The checksum of `first` and `bytes`, one after another.
pub(super) fn crc32c(first: [u8; 8], bytes: &[u8]) -> u32 {
    let mut sum = step(u32::MAX, first);
    let (eights, rest) = bytes.as_chunks::<8>();
    for eight in eights {
        sum = step(sum, *eight);
    }
    for byte in rest {
        let [low, ..] = sum.to_le_bytes();
        sum = (sum >> 8) ^ table(0, low ^ byte);
    }
    !sum
}

fn step(sum: u32, eight: [u8; 8]) -> u32 {
    let [a, b, c, d, e, f, g, h] = eight;
    let [i, j, k, l] = (sum ^ u32::from_le_bytes([a, b, c, d])).to_le_bytes();
    table(7, i) ^ table(6, j) ^ table(5, k) ^ table(4, l) ^ table(3, e) ^ table(2, f) ^ table(1, g) ^ table(0, h)
}

#[expect(clippy::indexing_slicing, reason = "the callers' numbers are below 8, and a byte is below 256")]
fn table(behind: usize, byte: u8) -> u32 {
    TABLES[behind][usize::from(byte)]
}

#[cfg(test)]
mod tests {
    use super::crc32c;

    #[test]
    fn sums_are_those_of_rfc_3720() {
        let rising: Vec<u8> = (0..32).collect();
        let falling: Vec<u8> = (0..32).rev().collect();
        for (bytes, sum) in [
            (&b"123456789"[..], 0xE306_9283),
            (&[0; 32], 0x8A91_36AA),
            (&[0xff; 32], 0x62A8_AB43),
            (&rising, 0x46DD_794E),
            (&falling, 0x113F_DB5C),
        ] {
            let (first, rest) = bytes.split_first_chunk().unwrap();
            assert_eq!(crc32c(*first, rest), sum);
        }
    }
}
