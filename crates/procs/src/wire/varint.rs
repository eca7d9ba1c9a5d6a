//! Lengths as variable-length integers: seven bits a byte, lowest first (LEB128).

/// Error of bytes that do not follow the protocol.
#[derive(Debug)]
pub(crate) struct Corrupt;

/// Appends a length: seven bits a byte, lowest first.
pub(crate) fn put_length(bytes: &mut Vec<u8>, length: usize) {
    let mut rest = length as u64;
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}

/// Appends the bytes that `write` appends, preceded by their length. Appends nothing if `write` fails.
pub(crate) fn put_with_length<E>(
    bytes: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let before = bytes.len();
    // Most lengths take one byte. For a longer one, the bytes that follow are moved.
    bytes.push(0);
    if let Err(error) = write(bytes) {
        bytes.truncate(before);
        return Err(error);
    }
    let length = bytes.len() - before - 1;
    if length < 0x80 {
        bytes[before] = length as u8;
    } else {
        let mut prefix = Vec::new();
        put_length(&mut prefix, length);
        bytes.splice(before..=before, prefix);
    }
    Ok(())
}

/// Reads a length. Returns it and the number of bytes that it takes, or `None` while it is incomplete.
#[inline]
pub(crate) fn length_at(bytes: &[u8]) -> Result<Option<(usize, usize)>, Corrupt> {
    if let Some(&byte) = bytes.first()
        && byte < 0x80
    {
        return Ok(Some((usize::from(byte), 1)));
    }
    let mut value = 0_u64;
    for (index, &byte) in bytes.iter().enumerate() {
        if index == 6 {
            return Err(Corrupt);
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((value as usize, index + 1)));
        }
    }
    Ok(None)
}
