//! nginx, which answers a fixed page by itself: a server in C with nothing behind it.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use super::page::{self, Folder};
use crate::peers::server::{ANY_PORT, Server};

const PROGRAM: &str = "/usr/sbin/nginx";
const START: Duration = Duration::from_secs(10);

/// Starts it with one worker, which is the whole process; `None` when it is not installed.
pub fn start(folder: &Folder) -> Option<Server> {
    if !Path::new(PROGRAM).exists() {
        eprintln!("no {PROGRAM} here: nginx's rows are left out");
        return None;
    }
    match begin(&folder.0) {
        Ok(server) => Some(server),
        Err(error) => {
            eprintln!("{PROGRAM}: {error}; its rows are left out");
            None
        }
    }
}

fn begin(folder: &Path) -> io::Result<Server> {
    let address = free_address()?;
    let settings = folder.join("nginx.conf");
    fs::write(&settings, text(folder, address))?;
    let child = Command::new(PROGRAM)
        .arg("-c")
        .arg(&settings)
        .args(["-e", "stderr"])
        .stdin(Stdio::null())
        .spawn()?;
    let server = Server::of(child, address);
    let deadline = Instant::now() + START;
    while TcpStream::connect(address).is_err() {
        if Instant::now() > deadline {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "it does not listen",
            ));
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(server)
}

/// Nginx cannot say which port it was given, so it is given one that was free a moment ago.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind(ANY_PORT)?.local_addr()
}

fn text(folder: &Path, address: SocketAddr) -> String {
    let folder = folder.display();
    let (kind, body) = (page::HTML, page::hello("world"));
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("  {kind}_temp_path {folder}/{kind};\n"))
        .concat();
    format!(
        "daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 4096; }}
http {{
{temporary}  access_log off;
  tcp_nodelay on;
  keepalive_timeout 75s;
  keepalive_requests 1000000000;
  server {{
    listen {address};
    location /hello/ {{
      default_type \"{kind}\";
      return 200 \"{body}\";
    }}
  }}
}}
"
    )
}
