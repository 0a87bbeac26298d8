package main

import (
	"context"
	"maps"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	bridge "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
)

// openOTLP makes a receiver one of OTLP over HTTP.
func openOTLP(ctx context.Context, r *receiver, labels map[string]string) error {
	exporter, err := otlpmetrichttp.New(ctx,
		otlpmetrichttp.WithEndpointURL(r.url), otlpmetrichttp.WithHTTPClient(r.client),
		otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig{})) // a delivery repeats requests
	if err != nil {
		return err
	}
	shut := r.close
	r.close = func() {
		_ = exporter.Shutdown(context.Background()) // it holds nothing back
		shut()
	}
	r.export = func(ctx context.Context, batch []snapshot) error {
		metrics := metricdata.ResourceMetrics{Resource: resourceOf(labels, batch[0].source)}
		for _, s := range batch {
			gather := func() ([]*dto.MetricFamily, error) { return s.families, nil }
			scopes, err := bridge.NewMetricProducer(bridge.WithGatherer(prometheus.GathererFunc(gather))).Produce(ctx)
			if err != nil {
				return err
			}
			metrics.ScopeMetrics = append(metrics.ScopeMetrics, scopes...)
		}
		return exporter.Export(ctx, &metrics)
	}
	return nil
}

// resourceOf returns the labels of a process in OpenTelemetry's words.
func resourceOf(labels map[string]string, source int) *resource.Resource {
	labels = maps.Clone(labels)
	labels["instance"] = instance(labels["instance"], source)
	var attributes []attribute.KeyValue
	for _, name := range sortedNames(labels) {
		key := name
		switch name {
		case "job":
			key = "service.name"
		case "instance":
			key = "service.instance.id"
		}
		attributes = append(attributes, attribute.String(key, labels[name]))
	}
	return resource.NewSchemaless(attributes...)
}
