//! Records, lengths, and the buffer of what was read.

use std::io::Read;

use crate::error::Panicked;
use crate::one_of;
use crate::wire::{self, NO_JOB, ReadBuffer, Tag};

fn bytes_of(job: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    wire::put_record(&mut bytes, job, Tag::Value, payload);
    bytes
}

#[test]
fn a_record_is_read_when_it_is_whole() {
    for count in [0, 1, 7, 8, 9, 127, 128, 300] {
        let payload: Vec<u8> = (0..count).map(|index| index as u8).collect();
        let bytes = bytes_of(5, &payload);
        for end in (0..bytes.len()).step_by(one_of(5)) {
            assert!(wire::record(&bytes[..end]).unwrap().is_none());
        }
        let record = wire::record(&bytes).unwrap().unwrap();
        assert_eq!((record.tag, record.size), (Tag::Value, bytes.len()));
        assert_eq!(record.payload, payload);
        assert!(record.is_of(5) && !record.is_of(NO_JOB));
    }
}

#[test]
fn an_overwritten_byte_changes_the_checksum() {
    let bytes = bytes_of(5, b"some payload of a few words");
    for index in (0..bytes.len()).step_by(one_of(5)) {
        let mut bytes = bytes.clone();
        bytes[index] ^= 0x10;
        let is_whole =
            wire::record(&bytes).is_ok_and(|record| record.is_some_and(|record| record.is_of(5)));
        assert!(!is_whole, "byte {index}");
    }
}

#[test]
fn a_length_that_nobody_sends_is_corrupt() {
    assert!(wire::length_at(&[0xff; 10]).is_err());
    assert!(wire::record(&[Tag::Value as u8, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]).is_err());
    assert!(wire::record(&[0]).is_err());
    let mut bytes = vec![9];
    let failed = wire::put_with_length(&mut bytes, |bytes| {
        bytes.push(1);
        Err(())
    });
    assert_eq!((failed, bytes), (Err(()), vec![9]));
}

#[test]
fn a_panic_arrives_whole_or_shortened_between_characters() {
    let place = Some("src/main.rs:1:2".to_owned());
    let panicked = Panicked::new("ß".repeat(300), place, Some("stack".to_owned()));
    assert_eq!(wire::decode_panic(&wire::encode_panic(&panicked)), panicked);
    for limit in (200..210).step_by(one_of(3)) {
        let report = wire::encode_report(&panicked, limit);
        assert!(report.len() <= limit);
        let arrived = wire::decode_panic(&report);
        assert_eq!(arrived.location(), panicked.location());
        assert!(arrived.message().chars().all(|character| character == 'ß'));
    }
}

#[test]
fn read_bytes_come_out_in_order() {
    let sent: Vec<u8> = (0..20_000 / one_of(4)).map(|index| index as u8).collect();
    let mut source = &sent[..];
    let mut buffer = ReadBuffer::new();
    let mut taken = Vec::new();
    while taken.len() < sent.len() {
        // Miri would take long over the buffer that follows a read of all that was asked for.
        let part = Read::take(&mut source, 5000 / one_of(5) as u64);
        buffer.read_from(part, 0).unwrap();
        // A part stays unread each time, until the end.
        let count = buffer.unread().len();
        let part = if source.is_empty() {
            count
        } else {
            count / 2 + 1
        };
        taken.extend(buffer.take(part));
    }
    assert_eq!(taken, sent);
    buffer.append(b"beside");
    assert_eq!(buffer.unread(), b"beside");
}

#[test]
fn what_is_skipped_is_dropped_once() {
    let mut buffer = ReadBuffer::new();
    buffer.append(b"a");
    assert_eq!(buffer.read_from(&b"bcdef"[..], 2).unwrap().0, 5);
    assert_eq!(buffer.unread(), b"adef");
    buffer.consume(4);
    assert!(buffer.unread().is_empty());
}
