// Package refreshing is the command "connsync refresh".
package refreshing
