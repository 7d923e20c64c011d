//! The API written down as `OpenAPI` 3.1, made of the table of routes and of the types that they take and give.

use std::sync::LazyLock;

use axum::Json;
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItemBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{Components, ComponentsBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, HttpMethod, InfoBuilder, OpenApi, OpenApiBuilder, Paths, PathsBuilder, Ref, RefOr, Required,
    ResponseBuilder, ResponsesBuilder,
};
use utoipa::{IntoParams, ToSchema};

use super::caller::PAGE_COOKIE;
use super::routes::{Needs, Route, table};
use super::{Failure, ShownEvent};

type Schemas = Vec<(String, RefOr<Schema>)>;

/// A type that a route takes or gives.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    name: fn() -> String,
    schemas: fn(&mut Schemas),
}

impl Shape {
    pub(super) const fn of<T: ToSchema>() -> Self {
        Self {
            name: || T::name().into_owned(),
            schemas: |all| {
                all.push((T::name().into_owned(), T::schema()));
                T::schemas(all);
            },
        }
    }

    fn reference(&self) -> RefOr<Schema> {
        RefOr::Ref(Ref::from_schema_name((self.name)()))
    }
}

/// What a route answers with when all is well.
#[derive(Clone, Copy)]
pub(super) enum Answers {
    /// JSON.
    Json(Shape),
    /// Server-sent events, whose data is this as JSON.
    Events(Shape),
    /// A file.
    File,
    /// A redirect.
    Redirect,
    /// Nothing but that it is done.
    Nothing,
    /// The connection becomes another's.
    Upgrade,
}

/// What a route takes and gives.
#[derive(Clone, Copy)]
pub(super) struct Says {
    pub(super) query: fn() -> Vec<Parameter>,
    pub(super) body: Option<Shape>,
    pub(super) answers: Answers,
}

impl Says {
    pub(super) const fn new(answers: Answers) -> Self {
        Self { query: Vec::new, body: None, answers }
    }

    /// The parameters of a query.
    pub(super) const fn query<P: IntoParams>(self) -> Self {
        Self { query: || P::into_params(|| Some(ParameterIn::Query)), ..self }
    }

    /// A body of JSON.
    pub(super) const fn body<T: ToSchema>(self) -> Self {
        Self { body: Some(Shape::of::<T>()), ..self }
    }
}

pub(super) async fn show() -> Json<&'static OpenApi> {
    static WRITTEN: LazyLock<OpenApi> = LazyLock::new(openapi);
    Json(&WRITTEN)
}

/// The whole API.
pub fn openapi() -> OpenApi {
    let routes = table();
    let mut schemas = Vec::new();
    for route in &routes {
        let answer = match route.says.answers {
            Answers::Json(shape) | Answers::Events(shape) => Some(shape),
            Answers::File | Answers::Redirect | Answers::Nothing | Answers::Upgrade => None,
        };
        for shape in route.says.body.iter().chain(&answer) {
            (shape.schemas)(&mut schemas);
        }
    }
    (Shape::of::<Failure>().schemas)(&mut schemas);
    (Shape::of::<ShownEvent>().schemas)(&mut schemas);
    let about = "What the gate's page and its command line ask. Times are RFC 3339 in UTC. Lists are the latest \
                 first; `next` is given back as `before`.";
    let info = InfoBuilder::new().title("Portcullis control API").version("1").description(Some(about)).build();
    OpenApiBuilder::new().info(info).paths(paths(&routes)).components(Some(components(schemas))).build()
}

fn components(schemas: Schemas) -> Components {
    let cookie = ApiKey::Cookie(ApiKeyValue::new(PAGE_COOKIE));
    ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)))
        .security_scheme("page", SecurityScheme::ApiKey(cookie))
        .build()
}

fn paths(routes: &[Route]) -> Paths {
    let mut paths = PathsBuilder::new();
    for route in routes {
        let method = if route.method == axum::http::Method::GET { HttpMethod::Get } else { HttpMethod::Post };
        paths = paths.path(route.path, PathItemBuilder::new().operation(method, operation(route)).build());
    }
    paths.build()
}

fn operation(route: &Route) -> utoipa::openapi::path::Operation {
    let mut operation = OperationBuilder::new().responses(responses(route)).description(needs(route.needs));
    if route.needs != Needs::Nothing {
        let either = ["token", "page"].map(|scheme| SecurityRequirement::new(scheme, Vec::<String>::new()));
        operation = operation.securities(Some(either));
    }
    for name in route.path.split(['{', '}']).skip(1).step_by(2) {
        let text = ObjectBuilder::new().schema_type(Type::String);
        let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True);
        operation = operation.parameter(parameter.schema(Some(text)));
    }
    for parameter in (route.says.query)() {
        operation = operation.parameter(parameter);
    }
    if let Some(body) = &route.says.body {
        let content = ContentBuilder::new().schema(Some(body.reference())).build();
        operation = operation.request_body(Some(
            RequestBodyBuilder::new().content("application/json", content).required(Some(Required::True)).build(),
        ));
    }
    operation.build()
}

fn needs(needs: Needs) -> Option<String> {
    match needs {
        Needs::Nothing => None,
        Needs::Identity => Some(String::from("For whoever is proven; what they see depends on who they are.")),
        Needs::Permit(action) => Some(format!("Needs `{action}` on the target that it is about.")),
    }
}

fn responses(route: &Route) -> utoipa::openapi::Responses {
    let content = |shape: Shape| ContentBuilder::new().schema(Some(shape.reference())).build();
    let good = ResponseBuilder::new();
    let (status, good) = match route.says.answers {
        Answers::Json(shape) => {
            ("200", good.description("What was asked for.").content("application/json", content(shape)))
        }
        Answers::Events(shape) => (
            "200",
            good.description("Server-sent events; the data of each is this.")
                .content("text/event-stream", content(shape)),
        ),
        Answers::File => ("200", good.description("A file to keep.")),
        Answers::Redirect => ("303", good.description("Where the browser goes.")),
        Answers::Nothing => ("204", good.description("It is done.")),
        Answers::Upgrade => ("101", good.description("From here on the bytes are those of the target's own protocol.")),
    };
    let wrong = ResponseBuilder::new()
        .description("Why it was not done.")
        .content("application/json", content(Shape::of::<Failure>()));
    ResponsesBuilder::new().response(status, good).response("default", wrong).build()
}
