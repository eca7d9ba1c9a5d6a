//! Readers and writers of descriptors: called while there is something to do, and not after their removal.

use std::{
    cell::{Cell, RefCell},
    fs::File,
    io::{self, ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    rc::Rc,
    time::Duration,
};

use aio::EventLoop;

const PATIENCE: Duration = Duration::from_secs(20);

/// A loop, and two ends of a connection of which the loop's does not block.
fn parts() -> io::Result<(EventLoop, UnixStream, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    Ok((EventLoop::new()?, ours, theirs))
}

/// Runs the loop until `reached`, but not for ever.
fn run_until(event_loop: &EventLoop, reached: impl Fn() -> bool) {
    let waiting = async {
        while !reached() {
            aio::sleep(Duration::from_millis(1)).await;
        }
    };
    event_loop
        .run_until_complete(aio::wait_for(waiting, PATIENCE))
        .unwrap()
        .expect("it is reached in time");
}

/// Runs the loop until it has called back for a descriptor that only now can be read: what was ready before has had its
/// turn by then.
fn run_past_what_is_ready(event_loop: &EventLoop) -> io::Result<()> {
    let (last, mut theirs) = UnixStream::pair()?;
    let called = Rc::new(Cell::new(false));
    let calling = called.clone();
    event_loop.add_reader(&last, move || calling.set(true))?;
    theirs.write_all(b"now")?;
    run_until(event_loop, || called.get());
    assert!(event_loop.remove_reader(&last));
    Ok(())
}

#[test]
fn a_reader_is_called_until_all_is_read_and_again_for_more() -> io::Result<()> {
    let (event_loop, ours, mut theirs) = parts()?;
    let read = Rc::new(RefCell::new(Vec::new()));
    let (mut source, seen) = (ours.try_clone()?, read.clone());
    event_loop.add_reader(&ours, move || {
        let mut byte = [0];
        // One byte a call, so the rest must bring further calls.
        source.read_exact(&mut byte).unwrap();
        seen.borrow_mut().push(byte[0]);
    })?;
    theirs.write_all(b"abc")?;
    run_until(&event_loop, || read.borrow().len() == 3);
    theirs.write_all(b"de")?;
    run_until(&event_loop, || read.borrow().len() == 5);
    assert_eq!(*read.borrow(), b"abcde");
    assert!(event_loop.remove_reader(&ours));
    assert!(!event_loop.remove_reader(&ours));
    theirs.write_all(b"f")?;
    run_past_what_is_ready(&event_loop)?;
    assert_eq!(read.borrow().len(), 5, "removed is removed");
    Ok(())
}

#[test]
fn an_end_is_told_until_the_reader_is_removed_from_within() -> io::Result<()> {
    let (event_loop, ours, theirs) = parts()?;
    let (ours, calls) = (Rc::new(ours), Rc::new(Cell::new(0)));
    let (counting, within, source) = (calls.clone(), event_loop.clone(), ours.clone());
    event_loop.add_reader(&*ours, move || {
        counting.set(counting.get() + 1);
        assert_eq!((&*source).read(&mut [0]).unwrap(), 0);
        if counting.get() == 3 {
            assert!(within.remove_reader(&*source));
        }
    })?;
    drop(theirs);
    run_until(&event_loop, || calls.get() == 3);
    run_past_what_is_ready(&event_loop)?;
    assert_eq!((calls.get(), Rc::strong_count(&calls)), (3, 1));
    Ok(())
}

#[test]
fn a_writer_and_a_reader_of_one_descriptor_do_not_disturb_each_other() -> io::Result<()> {
    let (event_loop, ours, mut theirs) = parts()?;
    let (written, read) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let (mut sink, count) = (ours.try_clone()?, written.clone());
    event_loop.add_writer(&ours, move || match sink.write(&[7; 4096]) {
        Ok(more) => count.set(count.get() + more),
        Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
    })?;
    let (mut source, count) = (ours.try_clone()?, read.clone());
    event_loop.add_reader(&ours, move || {
        count.set(count.get() + source.read(&mut [0; 16]).unwrap());
    })?;
    theirs.write_all(b"hello")?;
    run_until(&event_loop, || read.get() == 5 && written.get() > 0);
    let reader = std::thread::spawn(move || {
        let mut bytes = vec![0; 1_000_000];
        theirs.read_exact(&mut bytes).unwrap();
        theirs
    });
    run_until(&event_loop, || written.get() >= 1_000_000);
    assert!(event_loop.remove_writer(&ours) && event_loop.remove_reader(&ours));
    drop(reader.join().unwrap());
    Ok(())
}

#[test]
fn a_panic_is_reported_and_the_callback_goes_on_and_another_takes_its_place() -> io::Result<()> {
    let (event_loop, ours, mut theirs) = parts()?;
    let reports = Rc::new(RefCell::new(Vec::new()));
    let seen = reports.clone();
    event_loop.set_exception_handler(move |context| seen.borrow_mut().push(context.to_string()));
    event_loop.add_reader(&ours, || panic!("as asked"))?;
    theirs.write_all(b"x")?;
    run_until(&event_loop, || reports.borrow().len() >= 2);
    assert!(reports.borrow()[0].contains("as asked"));
    let called = Rc::new(Cell::new(false));
    let flag = called.clone();
    event_loop.add_reader(&ours, move || flag.set(true))?;
    run_until(&event_loop, || called.get());
    Ok(())
}

#[test]
fn closing_or_removing_lets_go_of_the_descriptor() -> io::Result<()> {
    let (event_loop, ours, mut theirs) = parts()?;
    theirs.set_read_timeout(Some(PATIENCE))?;
    let alive = Rc::new(());
    let held = alive.clone();
    event_loop.add_reader(&ours, move || drop(held.clone()))?;
    drop(ours);
    event_loop.run_until_complete(aio::yield_now()).unwrap();
    theirs.write_all(b"still open, by the loop's duplicate")?;
    event_loop.close().unwrap();
    assert_eq!(Rc::strong_count(&alive), 1);
    // A reset, for what was sent was never read.
    assert!(theirs.read(&mut [0]).map_or(true, |count| count == 0));
    let refused = event_loop.add_reader(&theirs, || ());
    assert!(refused.unwrap_err().to_string().contains("closed"));
    Ok(())
}

#[test]
fn what_cannot_be_waited_for_is_refused() -> io::Result<()> {
    let event_loop = EventLoop::new()?;
    let file = File::open("Cargo.toml")?;
    assert!(event_loop.add_reader(&file, || ()).is_err());
    assert!(!event_loop.remove_reader(&file));
    Ok(())
}
