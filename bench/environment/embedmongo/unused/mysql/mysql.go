// Package mysql declares what FerretDB's MySQL backend uses of its driver, and registers no driver.
package mysql

// Config says how to connect.
type Config struct {
	User, Passwd, Net, Addr, DBName string
	Params                          map[string]string
}

// FormatDSN returns "", as there is no driver that could read more.
func (*Config) FormatDSN() string { return "" }

// MySQLError is an error of the server.
type MySQLError struct {
	Number  uint16
	Message string
}

// Error returns the server's message.
func (e *MySQLError) Error() string { return e.Message }
