//! Other programs: what goes in and out, how they end, and that nothing of them stays.

use std::{
    io::{self, BufRead, BufReader, Read},
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::ExitStatusExt},
    },
    path::Path,
    process::Stdio,
    rc::Rc,
    time::Duration,
};

use aio::{Process, SignalKind, Subprocess, create_subprocess_exec, create_subprocess_shell};

const PATIENCE: Duration = Duration::from_secs(20);

fn on_loop(test: impl AsyncFnOnce() -> io::Result<()>) -> io::Result<()> {
    aio::run(aio::wait_for(test(), PATIENCE))??
}

async fn output_of(program: Subprocess) -> io::Result<String> {
    let mut process = program.stdout(Stdio::piped()).spawn()?;
    let output = process.communicate(b"").await?;
    assert!(output.status.success(), "{:?}", output.status);
    Ok(String::from_utf8(output.stdout).unwrap())
}

/// A pipe that only the process, and what it starts, hold open: its end is their end.
fn lifeline(program: Subprocess) -> io::Result<(Process, BufReader<UnixStream>)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_read_timeout(Some(PATIENCE))?;
    let process = program.stdout(OwnedFd::from(theirs)).spawn()?;
    Ok((process, BufReader::new(ours)))
}

fn line(source: &mut impl BufRead) -> String {
    let mut line = String::new();
    source.read_line(&mut line).unwrap();
    line
}

#[test]
fn arguments_surroundings_and_folder_arrive_as_given() -> io::Result<()> {
    on_loop(async || {
        let literal = output_of(create_subprocess_exec("printf", ["%s", "$HOME; 'x'"])).await?;
        assert_eq!(literal, "$HOME; 'x'");
        let shell = create_subprocess_shell("echo $GREETING from $PWD${HOME+ and home}")
            .env("GREETING", "hello")
            .env_remove("HOME")
            .current_dir("/");
        assert_eq!(output_of(shell).await?, "hello from /\n");
        let none: [&str; 0] = [];
        assert_eq!(
            output_of(create_subprocess_exec("/usr/bin/env", none).env_clear()).await?,
            ""
        );
        Ok(())
    })
}

#[test]
fn large_amounts_pass_in_and_out_at_the_same_time() -> io::Result<()> {
    on_loop(async || {
        let sent: Vec<u8> = (0..3_000_000).map(|number| (number % 251) as u8).collect();
        let mut tee = create_subprocess_shell("tee /dev/stderr")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let output = tee.communicate(&sent).await?;
        assert!(output.status.success());
        assert!(output.stdout == sent && output.stderr == sent);
        assert_eq!(tee.status(), Some(output.status));
        Ok(())
    })
}

#[test]
fn a_program_need_not_read_its_input() -> io::Result<()> {
    on_loop(async || {
        let none: [&str; 0] = [];
        let mut deaf = create_subprocess_exec("true", none)
            .stdin(Stdio::piped())
            .spawn()?;
        assert!(
            deaf.communicate(&vec![7; 3_000_000])
                .await?
                .status
                .success()
        );
        Ok(())
    })
}

#[test]
fn a_conversation_goes_line_by_line() -> io::Result<()> {
    on_loop(async || {
        let none: [&str; 0] = [];
        let mut cat = create_subprocess_exec("cat", none)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (stdin, mut stdout) = (cat.stdin.take().unwrap(), cat.stdout.take().unwrap());
        for said in [&b"one\n"[..], b"two\n"] {
            stdin.write(said);
            assert_eq!(stdout.readline().await?, said);
        }
        assert_eq!(cat.status(), None);
        stdin.write_eof();
        assert_eq!(stdout.readline().await?, b"");
        assert!(cat.wait().await?.success());
        Ok(())
    })
}

#[test]
fn several_may_wait_and_one_that_gives_up_changes_nothing() -> io::Result<()> {
    on_loop(async || {
        let sleeping = Rc::new(create_subprocess_exec("sleep", ["60"]).spawn()?);
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let sleeping = sleeping.clone();
                aio::create_task(async move { sleeping.wait().await })
            })
            .collect();
        let gave_up = aio::wait_for(sleeping.wait(), Duration::from_millis(5)).await;
        assert!(gave_up.is_err() && sleeping.status().is_none());
        assert!(sleeping.terminate()?);
        for waiter in waiters {
            assert_eq!(waiter.await??.signal(), Some(15));
        }
        assert_eq!(sleeping.wait().await?.signal(), Some(15), "and again");
        assert!(!sleeping.kill()? && !sleeping.terminate()?, "it has ended");
        Ok(())
    })
}

#[test]
fn stop_asks_first_and_then_kills() -> io::Result<()> {
    on_loop(async || {
        let polite =
            create_subprocess_shell("trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done");
        let (polite, mut says) = lifeline(polite)?;
        assert_eq!(line(&mut says), "ready\n");
        assert_eq!(polite.stop(PATIENCE).await?.code(), Some(7));

        let stubborn =
            create_subprocess_shell("trap '' TERM; echo ready; while :; do sleep 0.01; done");
        let (stubborn, mut says) = lifeline(stubborn)?;
        assert_eq!(line(&mut says), "ready\n");
        assert_eq!(
            stubborn.stop(Duration::from_millis(20)).await?.signal(),
            Some(9)
        );
        Ok(())
    })
}

#[test]
fn signals_arrive() -> io::Result<()> {
    on_loop(async || {
        let script = "trap 'echo hangup; exit' HUP; echo ready; while :; do sleep 0.01; done";
        let (process, mut says) = lifeline(create_subprocess_shell(script))?;
        assert_eq!(line(&mut says), "ready\n");
        assert!(process.send_signal(SignalKind::hangup())?);
        assert!(process.wait().await?.success());
        assert_eq!(line(&mut says), "hangup\n");
        Ok(())
    })
}

#[test]
fn a_group_of_its_own_ends_as_a_whole() -> io::Result<()> {
    on_loop(async || {
        let script = "sleep 60 & sleep 60 & echo ready; wait";
        let (process, mut says) = lifeline(create_subprocess_shell(script).own_group(true))?;
        assert_eq!(line(&mut says), "ready\n");
        assert!(process.kill()?);
        assert_eq!(process.wait().await?.signal(), Some(9));
        assert_eq!(line(&mut says), "", "the sleepers hold the pipe no more");
        Ok(())
    })
}

#[test]
fn a_process_dies_with_the_task_that_held_it_if_it_should() -> io::Result<()> {
    on_loop(async || {
        let script = "sleep 60 & echo ready; wait";
        let program = create_subprocess_shell(script)
            .own_group(true)
            .kill_on_drop(true);
        let (process, mut says) = lifeline(program)?;
        assert_eq!(line(&mut says), "ready\n");
        let holding = aio::create_task(async move { process.wait().await });
        aio::yield_now().await;
        holding.cancel();
        assert!(holding.await.is_err());
        assert_eq!(line(&mut says), "");

        let program = create_subprocess_exec("sleep", ["60"]).kill_on_drop(true);
        let (process, mut says) = lifeline(program)?;
        let hasty = async move {
            let mut process = process;
            process.communicate(b"").await
        };
        assert!(
            aio::wait_for(hasty, Duration::from_millis(5))
                .await
                .is_err()
        );
        assert_eq!(line(&mut says), "", "killed at the time limit");
        Ok(())
    })
}

#[test]
fn otherwise_it_goes_on_and_leaves_no_zombie() -> io::Result<()> {
    on_loop(async || {
        let (go_on, ours) = UnixStream::pair()?;
        let program = create_subprocess_shell("read line; echo done").stdin(OwnedFd::from(go_on));
        let (process, mut says) = lifeline(program)?;
        let place = format!("/proc/{}", process.pid());
        drop(process);
        aio::yield_now().await;
        io::Write::write_all(&mut &ours, b"now\n")?;
        assert_eq!(line(&mut says), "done\n");
        says.read_to_end(&mut Vec::new())?;
        while Path::new(&place).exists() {
            aio::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    })
}

#[test]
fn what_cannot_be_started_is_named() -> io::Result<()> {
    let none: [&str; 0] = [];
    on_loop(async || {
        let error = create_subprocess_exec("/nowhere/program", none)
            .spawn()
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().contains("/nowhere/program"), "{error}");
        Ok(())
    })?;
    let error = create_subprocess_exec("true", none).spawn().unwrap_err();
    assert!(error.to_string().contains("aio::run"), "{error}");
    Ok(())
}
