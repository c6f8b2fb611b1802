//! Which request is for what: a path table and a method each.

use hyper::Method;

const WRITE_PATHS: [&str; 4] = ["/api/v1/write", "/api/v1/push", "/api/prom/push", "/write"];

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Write,
    /// vmagent asks whether we take zstd.
    Handshake,
    Healthy,
    Ready,
    /// The path is known; these are its methods.
    WrongMethod(&'static str),
    Unknown,
}

/// The paths of one gate.
#[derive(Debug)]
pub(super) struct Routes {
    extra: Vec<String>,
}

impl Routes {
    pub(super) fn new(extra: &[String]) -> Self {
        Self { extra: extra.to_vec() }
    }

    pub(super) fn find(&self, method: &Method, path: &str, query: Option<&str>) -> Route {
        let (route, methods) = match path {
            "/-/healthy" => (Route::Healthy, "GET, HEAD"),
            "/-/ready" => (Route::Ready, "GET, HEAD"),
            _ if WRITE_PATHS.contains(&path) || self.extra.iter().any(|extra| extra == path) => {
                (Route::Write, "POST")
            }
            _ => return Route::Unknown,
        };
        if route == Route::Write && asks_for_zstd(query.unwrap_or_default()) {
            return Route::Handshake;
        }
        let allowed = match route {
            Route::Write => *method == Method::POST,
            _ => *method == Method::GET || *method == Method::HEAD,
        };
        if allowed { route } else { Route::WrongMethod(methods) }
    }

    /// What someone at the wrong path is told. A path of the config may be known to those only who are to write.
    pub(super) fn help(&self) -> String {
        let own = if self.extra.is_empty() { "" } else { ", or the paths of its config" };
        format!("not found: write with POST to one of {}{own}", WRITE_PATHS.join(", "))
    }
}

/// What older versions of vmagent ask at the path that they are to write to: the version of VictoriaMetrics' protocol, whose one
/// difference is zstd.
fn asks_for_zstd(query: &str) -> bool {
    query.split('&').any(|pair| pair.starts_with("get_vm_proto_version="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_has_its_methods() {
        let routes = Routes::new(&["/mine".to_owned()]);
        for path in WRITE_PATHS.into_iter().chain(["/mine"]) {
            assert_eq!(routes.find(&Method::POST, path, None), Route::Write, "{path}");
            assert_eq!(routes.find(&Method::GET, path, None), Route::WrongMethod("POST"), "{path}");
        }
        assert_eq!(routes.find(&Method::HEAD, "/-/ready", None), Route::Ready);
        assert_eq!(routes.find(&Method::GET, "/-/healthy", None), Route::Healthy);
        assert_eq!(routes.find(&Method::POST, "/-/healthy", None), Route::WrongMethod("GET, HEAD"));
        assert_eq!(routes.find(&Method::POST, "/api/v1/write/", None), Route::Unknown);
        let asked = Some("a=b&get_vm_proto_version=1");
        assert_eq!(routes.find(&Method::GET, "/api/v1/write", asked), Route::Handshake);
        assert_eq!(routes.find(&Method::GET, "/-/ready", asked), Route::Ready);
        assert!(routes.help().contains("/api/v1/write, ") && !routes.help().contains("/mine"));
        assert!(routes.help().ends_with(", or the paths of its config"));
    }
}
