"""API Gateway's HTTP APIs."""

from lightship.rehearsal.emulator.resources.base import ApiResource

SERVICE = "apigatewayv2"
OF_API = {"ApiId": "ApiId"}
PARENT = frozenset({"ApiId"})

TYPES = (
    ApiResource(
        type="AWS::ApiGatewayV2::Api",
        service=SERVICE,
        make="CreateApi",
        change="UpdateApi",
        remove="DeleteApi",
        id="out.ApiId",
        key={"ApiId": "$id"},
        attributes={"ApiId": "out.ApiId", "ApiEndpoint": "out.ApiEndpoint"},
        fixed=frozenset({"ProtocolType"}),
    ),
    ApiResource(
        type="AWS::ApiGatewayV2::Authorizer",
        service=SERVICE,
        make="CreateAuthorizer",
        change="UpdateAuthorizer",
        remove="DeleteAuthorizer",
        id="out.AuthorizerId",
        key={**OF_API, "AuthorizerId": "$id"},
        attributes={"AuthorizerId": "out.AuthorizerId"},
        fixed=PARENT,
    ),
    ApiResource(
        type="AWS::ApiGatewayV2::Integration",
        service=SERVICE,
        make="CreateIntegration",
        change="UpdateIntegration",
        remove="DeleteIntegration",
        id="out.IntegrationId",
        key={**OF_API, "IntegrationId": "$id"},
        attributes={"IntegrationId": "out.IntegrationId"},
        fixed=PARENT,
    ),
    ApiResource(
        type="AWS::ApiGatewayV2::Route",
        service=SERVICE,
        make="CreateRoute",
        change="UpdateRoute",
        remove="DeleteRoute",
        id="out.RouteId",
        key={**OF_API, "RouteId": "$id"},
        attributes={"RouteId": "out.RouteId"},
        fixed=PARENT,
    ),
    ApiResource(
        type="AWS::ApiGatewayV2::Stage",
        service=SERVICE,
        make="CreateStage",
        change="UpdateStage",
        remove="DeleteStage",
        id="in.StageName",
        key={**OF_API, "StageName": "$id"},
        fixed=frozenset({"ApiId", "StageName"}),
    ),
    ApiResource(
        type="AWS::ApiGatewayV2::DomainName",
        service=SERVICE,
        make="CreateDomainName",
        change="UpdateDomainName",
        remove="DeleteDomainName",
        id="in.DomainName",
        key={"DomainName": "$id"},
        attributes={
            "RegionalDomainName": "out.DomainNameConfigurations[0].ApiGatewayDomainName",
            "RegionalHostedZoneId": "out.DomainNameConfigurations[0].HostedZoneId",
        },
        fixed=frozenset({"DomainName"}),
    ),
    ApiResource(
        type="AWS::ApiGatewayV2::ApiMapping",
        service=SERVICE,
        make="CreateApiMapping",
        change="UpdateApiMapping",
        remove="DeleteApiMapping",
        id="out.ApiMappingId",
        key={"DomainName": "DomainName", "ApiMappingId": "$id"},
        attributes={"ApiMappingId": "out.ApiMappingId"},
        fixed=frozenset({"DomainName"}),
    ),
)
